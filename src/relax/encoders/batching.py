"""Find the fastest batch size by timing the actual work, without extra forward passes."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import torch
from torch import Tensor

from relax.errors import ArgumentError

CANDIDATES = (2, 4, 8, 16, 32)
"""Sizes tried on a CPU, where small batches fit into the caches."""

ACCELERATOR_BATCH = 128
"""Initial size on other devices, where timing would need a synchronisation; halved when out of memory."""

IMAGES_TIMED = 16
"""Inputs per candidate and pass that are timed, in at least two batches, after one warm-up batch."""

PASSES = 2
"""Passes over the candidates: the first one also warms up the machine."""

MIN_RELATIVE_RATE = 0.85
"""Stop trying larger candidates once one runs below this fraction of the best rate."""


class BatchSizer:
    """Runs work in batches and settles on the fastest candidate size.

    Args:
        size: rows per batch, or ``"auto"``.
        device: device that the work runs on.

    Raises:
        ArgumentError: ``size`` is neither ``"auto"`` nor a positive integer.
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
        self._seconds: dict[int, float] = {}  # fastest batch of each size; the minimum is robust to interruptions

    @property
    def settled(self) -> bool:
        """Whether the size is final."""
        return not self._queue

    def run(self, n: int, step: Callable[[slice], Tensor]) -> Tensor:
        """Apply ``step`` to consecutive slices of ``range(n)`` and concatenate the results.

        Raises:
            torch.OutOfMemoryError: a batch of one row does not fit into memory.
        """
        results, start = [], 0
        while start < n:
            size = next(iter(self._queue), self.size)
            stop = min(n, start + size)
            started = time.perf_counter()
            try:
                results.append(step(slice(start, stop)))
            except torch.OutOfMemoryError:
                with self._lock:
                    self._shrink(size)
                continue
            if stop - start == size:
                with self._lock:
                    self._record(size, time.perf_counter() - started)
            start = stop
        return torch.cat(results)

    def _record(self, size: int, seconds: float) -> None:
        if not self._queue or self._queue[0] != size:  # settled by another thread
            return
        self._queue.pop(0)
        if size not in self._seconds:  # warm-up batch of this size
            self._seconds[size] = float("inf")
            return
        self._seconds[size] = min(seconds, self._seconds[size])
        if self._queue and self._queue[0] == size:
            return
        rates = {n: n / max(fastest, 1e-9) for n, fastest in self._seconds.items()}
        self.size = max(rates, key=rates.__getitem__)
        if rates[size] < MIN_RELATIVE_RATE * rates[self.size]:
            self._queue = [n for n in self._queue if n < size]

    def _shrink(self, size: int) -> None:
        if size == 1:
            raise torch.OutOfMemoryError("out of memory with a single input per batch; use smaller inputs")
        self._queue.clear()
        self.size = max(1, size // 2)
