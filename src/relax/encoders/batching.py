"""Batch size, found by measuring while the work is done: no forward is spent on it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import torch
from torch import Tensor

from relax.errors import ArgumentError

CANDIDATES = (2, 4, 8, 16, 32)
"""Sizes tried on a CPU, where small batches stay in the caches."""

ACCELERATOR_BATCH = 128
"""Size on other devices, where timing would need a synchronisation; halved when memory runs out."""

IMAGES_TIMED = 16
"""Images over which each candidate is timed in a pass, in two batches at least, after one that is not timed."""

PASSES = 2
"""Times that the candidates are gone through: what is measured first is measured on a cold machine."""

GIVE_UP = 0.85
"""No larger candidate is tried once one is slower than this share of the best."""


class BatchSizer:
    """Runs work in batches; of the candidate sizes the fastest is kept.

    Args:
        size: a number of rows, or ``"auto"``.
        device: where the work runs.
    """

    def __init__(self, size: int | str, device: torch.device) -> None:
        if size != "auto" and (isinstance(size, bool) or not isinstance(size, int) or size < 1):
            raise ArgumentError(f"expected `batch_size` to be 'auto' or a positive integer, got {size!r}")
        if isinstance(size, int):
            self._queue: list[int] = []
            self.size = size
        elif device.type == "cpu":
            self._queue = PASSES * [n for n in CANDIDATES for _ in range(1 + max(2, IMAGES_TIMED // n))]
            self.size = CANDIDATES[2]
        else:
            self._queue = []
            self.size = ACCELERATOR_BATCH
        self._lock = threading.Lock()
        self._seconds: dict[int, float] = {}  # of the fastest batch of each size: others were disturbed

    @property
    def settled(self) -> bool:
        """Whether the size is final."""
        return not self._queue

    def run(self, n: int, step: Callable[[slice], Tensor]) -> Tensor:
        """``step`` on consecutive slices of ``range(n)``; the results concatenated."""
        results, start = [], 0
        while start < n:
            size = next(iter(self._queue), self.size)
            stop = min(n, start + size)
            began = time.perf_counter()
            try:
                results.append(step(slice(start, stop)))
            except torch.OutOfMemoryError:
                with self._lock:
                    self._shrink(size)
                continue
            if stop - start == size:
                with self._lock:
                    self._timed(size, time.perf_counter() - began)
            start = stop
        return torch.cat(results)

    def _timed(self, size: int, seconds: float) -> None:
        if not self._queue or self._queue[0] != size:  # another thread has settled it
            return
        self._queue.pop(0)
        if size not in self._seconds:  # the first batch of a size pays for its set-up
            self._seconds[size] = float("inf")
            return
        self._seconds[size] = min(seconds, self._seconds[size])
        if self._queue and self._queue[0] == size:
            return
        rates = {n: n / max(fastest, 1e-9) for n, fastest in self._seconds.items()}
        self.size = max(rates, key=rates.__getitem__)
        if rates[size] < GIVE_UP * rates[self.size]:
            self._queue = [n for n in self._queue if n < size]

    def _shrink(self, size: int) -> None:
        if size == 1:
            raise torch.OutOfMemoryError("out of memory with a single input in a batch; use a smaller input size")
        self._queue.clear()
        self.size = max(1, size // 2)
