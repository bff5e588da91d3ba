"""Processor time beside the bare encoder, and one worker beside two."""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
import warnings
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import relax
from benchmarks.runs.bare import Bare, interval
from benchmarks.runs.pictures import pictures

BLOCKS, A_BLOCK = 12, 6
"""Turns of the run and of the bare encoder that are compared, and inputs of a turn."""

WARM_UP = 2
"""Turns that are not counted: in them the run finds its engine and its batch size."""


def processor(asked: Any) -> dict[str, Any]:
    """Time of the bare encoder for as many forwards over that of a run: of the processor, and on the wall."""
    source = pictures(asked.n, asked.out / "pictures")
    files = sorted(source.iterdir())[:: max(asked.n // (BLOCKS * A_BLOCK + WARM_UP * A_BLOCK), 1)]
    encoder = relax.load_encoder("efficientnet-lite0", device="cpu")
    relax.keep_memory()
    bare = Bare(encoder, encoder.prepare(files[0]).tensor)
    ratios, walls = [], []
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore", relax.RelaxWarning)
        for block in range(BLOCKS + WARM_UP):
            before, began = time.process_time(), time.perf_counter()
            done = [str(path) for path in files[: (block + 1) * A_BLOCK]]
            ran = relax.run(done, Path(folder) / "store", encoder, n_masks=asked.masks)
            took, wall = time.process_time() - before, time.perf_counter() - began
            if block < WARM_UP:
                continue
            if block == WARM_UP:
                bare.settle()
            before, began, forwards = time.process_time(), time.perf_counter(), 0
            while forwards < ran.done * (asked.masks + 1):
                forwards += bare()
            share = ran.done * (asked.masks + 1) / forwards
            ratios.append(share * (time.process_time() - before) / took)
            walls.append(share * (time.perf_counter() - began) / wall)
            print(json.dumps({"processor": ratios[-1], "wall": walls[-1]}), file=sys.stderr, flush=True)
    return {
        **interval("processor_time", ratios),
        **interval("wall_time", walls),
        "turns": len(walls),
        "inputs": BLOCKS * A_BLOCK,
        "engine": bare.name,
        "batch_size": bare.size,
        "load": os.getloadavg()[0],
    }


def scaling(asked: Any, n: int = 24) -> dict[str, Any]:
    """Inputs a second after the first, with one and two workers of one thread each, by both executors."""
    source = pictures(asked.n, asked.out / "pictures")
    files = [str(path) for path in sorted(source.iterdir())[:: max(asked.n // n, 1)][:n]]
    os.environ["OMP_NUM_THREADS"] = "1"
    rates: dict[str, Any] = {"inputs": n, "load": os.getloadavg()[0]}
    for executor in ("local", "ray") if find_spec("ray") else ("local",):
        for workers in (1, 2):
            seen: list[float] = []
            with tempfile.TemporaryDirectory() as folder:
                relax.run(
                    files,
                    Path(folder) / "store",
                    "efficientnet-lite0",
                    n_masks=asked.masks,
                    workers=workers,
                    executor=executor,
                    device="cpu",
                    on_input=lambda progress, seen=seen: seen.append(time.perf_counter()),
                )
            rates[f"{executor} {workers}"] = round((len(seen) - 1) / (seen[-1] - seen[0]), 3)
    return rates
