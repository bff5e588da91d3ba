"""Processor time beside the bare encoder, and one worker beside two."""

from __future__ import annotations

import os
import tempfile
import time
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import torch

import relax
from benchmarks.runs.pictures import pictures
from benchmarks.timing import repeated

BLOCKS, A_BLOCK = 12, 6
"""Turns of the run and of the bare encoder whose processor time is compared, and inputs of a turn."""


def processor(asked: Any) -> dict[str, Any]:
    """Processor time of the bare encoder for as many forwards over that of a run, whatever else the machine does."""
    source = pictures(asked.n, asked.out / "pictures")
    files = sorted(source.iterdir())[:: max(asked.n // (BLOCKS * A_BLOCK + A_BLOCK), 1)]
    encoder = relax.load_encoder("efficientnet-lite0", device="cpu")
    relax.keep_memory()
    x = encoder.prepare(files[0]).tensor
    ratios, walls = [], []
    with tempfile.TemporaryDirectory() as folder:
        for block in range(BLOCKS + 1):
            before, began = time.process_time(), time.perf_counter()
            done = [str(path) for path in files[: (block + 1) * A_BLOCK]]
            ran = relax.run(done, Path(folder) / "store", encoder, n_masks=asked.masks)
            took, wall = time.process_time() - before, time.perf_counter() - began
            size = next(iter(encoder.batch_sizes.values()), 8)
            precision = next(iter(encoder.precisions.values()), "float32")
            before, began, forwards = time.process_time(), time.perf_counter(), 0
            batch, low = repeated(x, size), precision != "float32"
            with torch.no_grad(), torch.autocast("cpu", dtype=getattr(torch, precision) if low else None, enabled=low):
                while forwards < ran.done * (asked.masks + 1):
                    encoder.model(batch)
                    forwards += size
            share = ran.done * (asked.masks + 1) / forwards
            ratios.append(share * (time.process_time() - before) / took)
            walls.append(share * (time.perf_counter() - began) / wall)
    kept, apart = np.array(ratios[1:]), np.array(walls[1:])  # the first finds the batch size
    return {
        "processor_time": round(float(kept.mean()), 4),
        "interval": round(float(1.96 * kept.std(ddof=1) / np.sqrt(len(kept))), 4),
        "wall_time": round(float(apart.mean()), 4),
        "wall_interval": round(float(1.96 * apart.std(ddof=1) / np.sqrt(len(apart))), 4),
        "turns": len(kept),
        "inputs": BLOCKS * A_BLOCK,
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
