"""Averages of maps over blocks."""

from __future__ import annotations

import numpy as np


def averaged(values: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Average a map down to a shape: every cell is the mean of the part of the map that it covers.

    Args:
        values: the map.
        shape: of as many axes, none longer than the map's.

    Returns:
        Float32 of the shape; its mean is that of the map.
    """
    result = np.asarray(values, dtype=np.float64)
    for axis, (length, cells) in enumerate(zip(values.shape, shape, strict=True)):
        if length != cells:
            result = np.moveaxis(np.tensordot(_overlaps(length, cells), result, axes=(1, axis)), 0, axis)
    averages: np.ndarray = result.astype(np.float32)
    return averages


def _overlaps(length: int, cells: int) -> np.ndarray:
    """Share of each element in each cell, ``(cells, length)``; rows sum to 1."""
    edges = np.arange(cells + 1) * (length / cells)
    starts, stops = (
        np.maximum.outer(edges[:-1], np.arange(length)),
        np.minimum.outer(edges[1:], np.arange(1, length + 1)),
    )
    shares: np.ndarray = np.clip(stops - starts, 0, None) * (cells / length)
    return shares
