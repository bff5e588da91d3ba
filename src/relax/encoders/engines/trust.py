"""Rely on an engine over many inputs, instead of comparing it with PyTorch at each."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch

from relax.encoders.engines.base import Runner

EVERY = 64
"""Inputs of one shape after which an engine is compared with PyTorch again."""


class Trust:
    """Engines that have been checked while the model is held.

    A check at every input finds models that were changed between two of them. It costs two forwards in PyTorch, a
    twentieth of an input of 64 masks. While a run holds the model, its first input is checked, and then every 64th.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._holders = 0
        self._checked: dict[Any, tuple[Runner, int]] = {}  # and how often it has been relied on

    @contextmanager
    def held(self) -> Iterator[None]:
        """Rely on engines checked from now on, until the last holder ends."""
        with self._lock:
            self._holders += 1
        try:
            yield
        finally:
            with self._lock:
                self._holders -= 1
                if not self._holders:
                    self._checked.clear()

    def add(self, shape: tuple[int, ...], runner: Runner | None) -> None:
        """Say that an engine agreed with PyTorch on inputs of a shape; ``None`` that there is none to rely on."""
        key = (shape, torch.get_num_threads())
        with self._lock:
            self._checked.pop(key, None)
            if self._holders and runner is not None:
                self._checked[key] = runner, 0

    def runner(self, shape: tuple[int, ...]) -> Runner | None:
        """The engine to use for an input of a shape without a check; ``None`` if it needs one."""
        key = (shape, torch.get_num_threads())
        with self._lock:
            if key not in self._checked:
                return None
            runner, times = self._checked.pop(key)
            if times + 1 == EVERY:
                return None
            self._checked[key] = runner, times + 1
            return runner
