"""Global random state, for libraries that draw from nothing else: seeded inside, put back at the end."""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch

_alone = threading.RLock()


@contextmanager
def seeded(seed: int, device: torch.device) -> Iterator[None]:
    """Seed the global generators of torch, numpy and Python for as long as the context lasts.

    One thread at a time is inside, so that explanations in several threads do not disturb each other's draws. Whatever
    can take a generator of its own is given one instead.

    Args:
        seed: any non-negative integer; numpy takes its lowest 32 bits.
        device: whose generator is seeded besides the CPU's.
    """
    with _alone, torch.random.fork_rng([device] if device.type == "cuda" else []):
        of_numpy, of_python = np.random.get_state(), random.getstate()
        torch.manual_seed(seed)
        np.random.seed(seed % 2**32)
        random.seed(seed)
        try:
            yield
        finally:
            np.random.set_state(of_numpy)
            random.setstate(of_python)


def generator(seed: int, *key: int) -> torch.Generator:
    """A generator of its own on the CPU, for draws that must not depend on, or change, the global state."""
    words = np.random.SeedSequence(seed, spawn_key=key).generate_state(1, np.uint64)
    return torch.Generator().manual_seed(int(words[0] >> np.uint64(1)))
