"""Shares of importance: what a map has above its neutral value, as parts of one."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from relax.insights.rows import Rows

CERTAIN = 1.0
"""Number of standard errors that a unit's importance has to be above the neutral value to count."""

TOP = 0.1
"""Share of the units whose importance is the concentration of a map."""

BORDER = 0.1
"""Width of the border, as a share of a side."""

CENTRE = 0.5
"""Side of the centre, as a share of a side."""


def shares_of(rows: Rows) -> list[np.ndarray]:
    """Share of each unit in the importance of each input; every map sums to 1.

    A unit counts with what it has above the neutral value and one standard error, so that noise has no share; where no
    unit is left, with what it has above the neutral value; where none has, all units are equal.

    Args:
        rows: the inputs.
    """
    errors: Sequence[np.ndarray | None] = [None] * len(rows)
    if rows.standard_error is not None:
        errors = rows.standard_error
    return [
        _shares(values - neutral, error)
        for values, neutral, error in zip(rows.importance, rows.neutral, errors, strict=True)
    ]


def _shares(effect: np.ndarray, error: np.ndarray | None) -> np.ndarray:
    effect = np.nan_to_num(effect)
    margins = [] if error is None else [CERTAIN * np.nan_to_num(error)]
    for margin in (*margins, 0.0):
        above = np.clip(effect - margin, 0, None)
        if above.sum() > 0:
            shares: np.ndarray = above / above.sum()
            return shares
    return np.full(effect.shape, 1 / effect.size)


def concentration(shares: np.ndarray) -> float:
    """Share of the importance on the tenth of the units that have most of it; .1 for a flat map, 1 for a point."""
    flat = np.sort(shares.ravel())[::-1]
    return float(flat[: max(1, round(TOP * flat.size))].sum())


def border_of(shape: tuple[int, ...]) -> np.ndarray:
    """The part of each unit of a picture that lies within a tenth of the side of the border, from 0 to 1."""
    return 1 - _middle(shape, 1 - 2 * BORDER)


def centre_of(shape: tuple[int, ...]) -> np.ndarray:
    """The part of each unit of a picture that lies in the central quarter of its area, from 0 to 1."""
    return _middle(shape, CENTRE)


def _middle(shape: tuple[int, ...], side: float) -> np.ndarray:
    """Part of each unit inside a centred box with this share of each side."""
    inside = np.ones(())
    for length in shape:
        edges = np.linspace(0, 1, length + 1)
        low, high = (1 - side) / 2, (1 + side) / 2
        covered = np.clip(np.minimum(edges[1:], high) - np.maximum(edges[:-1], low), 0, None) * length
        inside = np.multiply.outer(inside, covered)
    return inside
