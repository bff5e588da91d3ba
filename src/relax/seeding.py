"""Global random state, for libraries that draw from it: seeded inside, put back at the end."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch


@contextmanager
def seeded(seed: int, device: torch.device) -> Iterator[None]:
    """Seed torch's and numpy's global generators for as long as the context lasts.

    Args:
        seed: any non-negative integer; numpy takes its lowest 32 bits.
        device: whose generator is seeded besides the CPU's.
    """
    state = np.random.get_state()
    with torch.random.fork_rng([device] if device.type == "cuda" else []):
        torch.manual_seed(seed)
        np.random.seed(seed % 2**32)
        try:
            yield
        finally:
            np.random.set_state(state)
