"""Random state: temporary global seeds for third-party libraries, and independent generators."""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch

_global_state_lock = threading.RLock()


@contextmanager
def seeded(seed: int, device: torch.device) -> Iterator[None]:
    """Seed the global generators of torch, numpy and Python, and restore them on exit.

    Holds a lock, so that threads do not disturb each other's draws. Only for libraries that cannot take a generator.

    Args:
        seed: non-negative integer; numpy uses its lowest 32 bits.
        device: device to seed in addition to the CPU.
    """
    with _global_state_lock, torch.random.fork_rng([device] if device.type == "cuda" else []):
        numpy_state, python_state = np.random.get_state(), random.getstate()
        torch.manual_seed(seed)
        np.random.seed(seed % 2**32)
        random.seed(seed)
        try:
            yield
        finally:
            np.random.set_state(numpy_state)
            random.setstate(python_state)


def generator(seed: int, *key: int) -> torch.Generator:
    """A CPU generator that is independent of the global random state.

    Args:
        seed: non-negative integer.
        key: integers that select one of several independent streams of the seed.
    """
    words = np.random.SeedSequence(seed, spawn_key=key).generate_state(1, np.uint64)
    return torch.Generator().manual_seed(int(words[0] >> np.uint64(1)))
