"""Means over inputs, with intervals."""

from __future__ import annotations

from typing import Any

import numpy as np

LEVEL = 0.95
"""Confidence level of the intervals."""

RESAMPLES = 2000

Interval = tuple[float, float, float]
"""Estimate, lower bound, upper bound."""


def mean(values: Any, seed: int = 0) -> Interval:
    """Mean and its 95 % bootstrap interval (BCa, by :func:`scipy.stats.bootstrap`).

    Args:
        values: one number an input; NaN is left out.
        seed: seed of the resamples.

    Returns:
        Mean, lower and upper bound; the bounds are NaN for fewer than two values, and the mean if all are equal.
    """
    from scipy.stats import bootstrap

    finite = np.asarray(values, dtype=np.float64)
    finite = finite[np.isfinite(finite)]
    if len(finite) < 2:
        return (float(finite.mean()) if len(finite) else np.nan, np.nan, np.nan)
    if np.ptp(finite) < 1e-12 * max(1.0, abs(float(finite[0]))):
        return (float(finite.mean()),) * 3
    found = bootstrap(
        (finite,), np.mean, n_resamples=RESAMPLES, confidence_level=LEVEL, rng=np.random.default_rng(seed)
    ).confidence_interval
    return (float(finite.mean()), float(found.low), float(found.high))


def resampled(n: int, seed: int = 0, times: int = 400) -> np.ndarray:
    """Bootstrap samples of ``n`` inputs, ``(times, n)`` places."""
    drawn: np.ndarray = np.random.default_rng(seed).integers(0, n, (times, n))
    return drawn
