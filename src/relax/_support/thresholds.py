"""Thresholds of a map, by name, quantile or number."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from relax.errors import ArgumentError

Threshold = str | float


def threshold_of(values: np.ndarray, threshold: Threshold) -> float:
    """Resolve a threshold to a number in units of the map.

    Args:
        values: the map, of any shape; NaN is ignored.
        threshold: ``"median"`` (as in the paper), ``"mean"``, ``"quantile:Q"`` with Q in [0, 1], or a number in units
            of the map.

    Raises:
        ArgumentError: the threshold is none of these.
    """
    if isinstance(threshold, str):
        if threshold == "median":
            return float(np.nanmedian(values))
        if threshold == "mean":
            return float(np.nanmean(values))
        kind, _, level = threshold.partition(":")
        try:
            quantile = float(level)
        except ValueError:
            quantile = -1.0
        if kind == "quantile" and 0.0 <= quantile <= 1.0:
            return float(np.nanquantile(values, quantile))
    elif isinstance(threshold, (int, float, np.number)) and np.isfinite(threshold):
        return float(threshold)
    raise ArgumentError(
        f"expected `threshold` to be 'median', 'mean', 'quantile:Q' with Q from 0 to 1, or a number, got {threshold!r}"
    )


def where_certain(
    importance: np.ndarray, uncertainty: np.ndarray, threshold: Threshold, neutral: float = 0.0
) -> np.ndarray:
    """Mask uncertain importance, as in U-RELAX: ``R · 1[U ≤ γ]`` (Wickstrøm et al. 2023).

    Args:
        importance: R, of any shape.
        uncertainty: U, of the same shape.
        threshold: γ, as in :func:`threshold_of`.
        neutral: value where the uncertainty exceeds the threshold.

    Raises:
        ArgumentError: the threshold is invalid.
    """
    certain = uncertainty <= threshold_of(uncertainty, threshold)
    return np.where(certain, importance, np.full_like(importance, neutral))


Cut = str | Callable[[np.ndarray], float]


def cut_at(values: np.ndarray, cut: Cut) -> float:
    """Compute the value that separates important from unimportant parts of a map.

    Args:
        values: the map, of any shape.
        cut: ``"otsu"``, ``"triangle"`` or ``"li"`` (scikit-image), a threshold as in :func:`threshold_of`, or any
            callable from the map to a number.

    Raises:
        ArgumentError: there is no such threshold.
    """
    if callable(cut):
        return float(cut(values))
    if cut in ("otsu", "triangle", "li"):
        from skimage import filters

        return float(getattr(filters, f"threshold_{cut}")(values))
    return threshold_of(values, cut)
