"""What several benchmarks measure with: rates of a bare encoder, seconds of a call, peak memory of a process."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from scipy.stats import bootstrap
from torch import Tensor

Timed = list[tuple[np.ndarray, float]]
"""Maps, with the seconds that they took."""

BATCHES = (2, 4, 8, 16)
"""Batch sizes among which the best one of a bare encoder is looked for."""


def rate(model: Callable[[Tensor], Any], batch: Tensor, seconds: float = 3.0, precision: str = "float32") -> float:
    """Images a second of a bare encoder.

    Args:
        model: the encoder's model.
        batch: what it is called with, again and again.
        seconds: for how long, after a first batch that is not counted.
        precision: ``"float32"``, or the type that autocast computes in.
    """
    low = precision != "float32"
    dtype = getattr(torch, precision) if low else None
    with torch.no_grad(), torch.autocast(batch.device.type, dtype=dtype, enabled=low):
        model(batch)
        began, done = time.perf_counter(), 0
        while time.perf_counter() - began < seconds:
            model(batch)
            done += len(batch)
        return done / (time.perf_counter() - began)


def repeated(x: Tensor, n: int) -> Tensor:
    """A batch of one image n times, channels last."""
    return x[None].repeat(n, 1, 1, 1).contiguous(memory_format=torch.channels_last)


def best_rate(model: Callable[[Tensor], Any], x: Tensor, precision: str = "float32") -> tuple[float, int]:
    """The bare encoder at its best batch size, and that size."""
    rates = {n: rate(model, repeated(x, n), precision=precision) for n in BATCHES}
    best = max(rates, key=rates.__getitem__)
    return rates[best], best


def timed(function: Callable[..., Any], *arguments: Any, **options: Any) -> tuple[Any, float]:
    """What a call returns, and its seconds."""
    began = time.perf_counter()
    result = function(*arguments, **options)
    return result, time.perf_counter() - began


def peak_memory(code: str) -> float:
    """Peak resident memory in MiB of a process that runs some Python code."""
    ending = (
        # not ru_maxrss, which a child inherits from its parent
        "\nfrom pathlib import Path\n"
        "print(int(Path('/proc/self/status').read_text().split('VmHWM:')[1].split()[0]) / 1024)"
    )
    done = subprocess.run([sys.executable, "-c", code + ending], check=True, capture_output=True, text=True)
    return float(done.stdout.splitlines()[-1])


def summary(errors: list[float], seconds: list[float]) -> dict[str, Any]:
    """Root mean square error over runs with its 95 % bootstrap interval, and the median time."""

    def rms(values: np.ndarray, axis: int) -> np.ndarray:
        return np.sqrt(np.mean(np.square(values), axis=axis))

    interval = bootstrap((errors,), rms, method="percentile", rng=0).confidence_interval if len(errors) > 1 else None
    return {
        "error": float(rms(np.array(errors), 0)),
        "interval": None if interval is None else [float(interval.low), float(interval.high)],
        "seconds": float(np.median(seconds)),
        "runs": len(errors),
    }
