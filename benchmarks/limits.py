"""Error of the default beside relax-xai, each relative to its own converged map: what it takes to be as far along.

The two do not converge to the same map: the paper's is blurred by its masks, the default's is not. So the root mean
square error of each is divided by the standard deviation, over pixels, of the map that it converges to; the level,
which all pixels share, is left out of both.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from torch import Tensor

import relax
from benchmarks.timing import Timed, summary, timed

NUMBERS = (64, 128, 256, 384, 512, 1024)
CONVERGED = 8192
"""Masks of the default's converged map."""


def relative_error(importance: np.ndarray, truth: np.ndarray) -> float:
    return float((importance - truth).std() / truth.std())


def own_limits(encoder: relax.Encoder, x: Tensor, theirs: Timed, paper: np.ndarray, seeds: int) -> dict[str, Any]:
    """Relative errors of relax-xai and of the default, and what it takes the default to be as far along.

    Args:
        encoder: the encoder.
        x: the picture.
        theirs: maps of relax-xai, with their seconds.
        paper: the map that they converge to.
        seeds: runs of the default a number of masks.
    """
    truth = relax.explain(encoder, x, n_masks=CONVERGED, seed=10_000).importance
    target = summary([relative_error(found, paper) for found, _ in theirs], [seconds for _, seconds in theirs])
    ours: dict[int, Timed] = {n: [] for n in NUMBERS}
    for seed in range(1, seeds + 1):
        for n, runs in ours.items():
            e, seconds = timed(relax.explain, encoder, x, n_masks=n, seed=seed)
            runs.append((e.importance, seconds))
    rows = {
        n: summary([relative_error(found, truth) for found, _ in runs], [seconds for _, seconds in runs])
        for n, runs in ours.items()
    }
    return {
        "relax-xai, 3000 masks": target,
        **{f"the default, {n} masks": row for n, row in rows.items()},
        "to equal error": reached(target, rows),
    }


def reached(target: dict[str, Any], rows: dict[int, dict[str, Any]]) -> dict[str, float] | None:
    """The first number of masks whose error is at most that of relax-xai; ``None`` if none is."""
    n = next((n for n, row in rows.items() if row["error"] <= target["error"]), None)
    if n is None:
        return None
    return {
        "masks": n,
        "times fewer masks": 3000 / n,
        "times less time": target["seconds"] / rows[n]["seconds"],
    }
