"""The bare encoder: the same engine and precision as a run, at its best batch size, and nothing else."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import torch
from scipy.stats import t as student
from torch import Tensor

import relax
from benchmarks.timing import BATCHES, repeated

TRIED = 1.0
"""Seconds for which each batch size is tried."""


class Bare:
    """Forwards of an encoder that a run has used, so that its engine is chosen.

    Args:
        encoder: the encoder.
        x: its input, ``(C, H, W)``.
    """

    def __init__(self, encoder: relax.Encoder, x: Tensor) -> None:
        self.encoder, self.x, self.size = encoder, x, 0
        self.name = "torch"
        self._encode: Any = encoder.model

    def settle(self) -> None:
        """Take the engine of the run, and the batch size at which it is fastest."""
        kept = [kept.runner for kept in self.encoder.engines.kept.values() if kept.runner is not None]
        if kept:
            self._encode, self.name = kept[-1], kept[-1].name
        rates = {}
        for size in BATCHES:
            self.size = size
            self()
            rates[size] = self.rate(TRIED)
        self.size = max(rates, key=rates.__getitem__)

    def __call__(self) -> int:
        """One forward of a batch; returns the number of its rows."""
        precision = next(iter(self.encoder.precisions.values()), "float32")
        low = self.name == "torch" and precision != "float32"
        with torch.no_grad(), torch.autocast("cpu", dtype=getattr(torch, precision) if low else None, enabled=low):
            self._encode(self._batch())
        return self.size

    def rate(self, seconds: float) -> float:
        """Forwards a second: the median over batches, which other processes disturb least."""
        times, began = [], time.perf_counter()
        while time.perf_counter() - began < seconds:
            before = time.perf_counter()
            self()
            times.append(time.perf_counter() - before)
        return self.size / float(np.median(times))

    def _batch(self) -> Tensor:
        batch = repeated(self.x, self.size)
        return batch if self.name == "torch" else batch.contiguous()


def interval(name: str, ratios: list[float]) -> dict[str, float]:
    """Mean, half of its 95 % interval (Student's t), and the median."""
    values = np.array(ratios)
    half = student.ppf(0.975, len(values) - 1) * values.std(ddof=1) / np.sqrt(len(values))
    found = {name: values.mean(), f"{name}_interval": half, f"{name}_median": np.median(values)}
    return {key: round(float(value), 4) for key, value in found.items()}
