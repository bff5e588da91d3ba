"""``relax train``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from relax.cli.messages import counted, emit
from relax.cli.options import OVERWRITE, QUIET, THREADS, set_threads


def train(
    way: Annotated[
        str, typer.Argument(help="supervised, simclr, swav, autoencoder, pca or untrained.", show_default=False)
    ],
    out: Annotated[Path | None, typer.Option(help="Safetensors file to write the weights to.")] = None,
    steps: Annotated[int, typer.Option(help="Number of optimiser steps.")] = 600,
    batch: Annotated[int, typer.Option(help="Pictures per step.")] = 128,
    seed: Annotated[int, typer.Option(help="Seed for weights, data order and augmentations.")] = 0,
    threads: THREADS = None,
    overwrite: OVERWRITE = False,
    quiet: QUIET = False,
) -> None:
    """Train a small encoder on fashion-scenes; print k-NN and linear-probe accuracy as JSON."""
    from relax.encoders.training import train as train_encoder
    from relax.runs.files import refuse_existing

    set_threads(threads)
    if out is not None and not overwrite:
        refuse_existing([out])
    with counted("steps", quiet) as show:

        def on_step(done: int, total: int, loss: float) -> None:
            show(done, total, f"loss {loss:.3f}")

        result = train_encoder(way, out, steps=steps, batch=batch, seed=seed, on_step=on_step)
    emit(json.dumps({**result, "file": None if out is None else str(out)}))
