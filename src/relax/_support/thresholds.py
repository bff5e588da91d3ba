"""Thresholds on a map, by name, quantile or number."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from relax.errors import ArgumentError

Threshold = str | float


def threshold_of(values: np.ndarray, threshold: Threshold) -> float:
    """The number that a threshold stands for on a map.

    Args:
        values: the map; NaN is left out.
        threshold: ``"median"`` (the paper's), ``"mean"``, ``"quantile:Q"`` with Q in [0, 1], or a number in
            the units of the map.
    """
    if isinstance(threshold, str):
        if threshold == "median":
            return float(np.nanmedian(values))
        if threshold == "mean":
            return float(np.nanmean(values))
        kind, _, number = threshold.partition(":")
        try:
            quantile = float(number)
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
    """U-RELAX: ``R · 1[U ≤ γ]`` (Wickstrøm et al. 2023); ``neutral`` stands where it is uncertain."""
    kept = uncertainty <= threshold_of(uncertainty, threshold)
    return np.where(kept, importance, np.full_like(importance, neutral))


Cut = str | Callable[[np.ndarray], float]


def cut_at(values: np.ndarray, cut: Cut) -> float:
    """Where a map is cut into important and not.

    Args:
        values: the map.
        cut: ``"otsu"``, ``"triangle"`` or ``"li"`` (scikit-image's), what :func:`threshold_of` takes by name, or any
            callable from the map to a number.
    """
    if callable(cut):
        return float(cut(values))
    if cut in ("otsu", "triangle", "li"):
        from skimage import filters

        return float(getattr(filters, f"threshold_{cut}")(values))
    return threshold_of(values, cut)
