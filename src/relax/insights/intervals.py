"""Means over inputs, with intervals."""

from __future__ import annotations

from typing import Any

import numpy as np

LEVEL = 0.95
"""Confidence level of the intervals."""

RESAMPLES = 2000

MANY = 2000
"""Inputs from which the mean is normal enough: BCa takes time and memory by the square of their number."""

Interval = tuple[float, float, float]
"""Estimate, lower bound, upper bound."""


def mean(values: Any, seed: int = 0) -> Interval:
    """Mean and its 95 % bootstrap interval (BCa, by :func:`scipy.stats.bootstrap`); of many values Student's.

    Args:
        values: one number an input; NaN is left out.
        seed: seed of the resamples.

    Returns:
        Mean, lower and upper bound; the bounds are NaN for fewer than two values, and the mean if all are equal.
    """
    from scipy.stats import bootstrap, t

    finite = np.asarray(values, dtype=np.float64)
    finite = finite[np.isfinite(finite)]
    if len(finite) < 2:
        return (float(finite.mean()) if len(finite) else np.nan, np.nan, np.nan)
    if np.ptp(finite) < 1e-12 * max(1.0, abs(float(finite[0]))):
        return (float(finite.mean()),) * 3
    if len(finite) > MANY:
        half = float(t.ppf((1 + LEVEL) / 2, len(finite) - 1) * finite.std(ddof=1) / np.sqrt(len(finite)))
        return (float(finite.mean()), float(finite.mean()) - half, float(finite.mean()) + half)
    found = bootstrap(
        (finite,), np.mean, n_resamples=RESAMPLES, confidence_level=LEVEL, rng=np.random.default_rng(seed)
    ).confidence_interval
    return (float(finite.mean()), float(found.low), float(found.high))


def resampled(n: int, seed: int = 0, times: int = 400) -> np.ndarray:
    """Bootstrap samples of ``n`` inputs, ``(times, n)`` places."""
    drawn: np.ndarray = np.random.default_rng(seed).integers(0, n, (times, n))
    return drawn
