"""The result of a method."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import nan

import numpy as np


@dataclass(frozen=True, eq=False)
class Maps:
    """Maps of one input, with the number of masks behind them.

    Attributes:
        importance: importance map of the shape of a mask, ``(H, W)`` for images.
        uncertainty: variance of the importance or of the score, of the same shape; ``None`` if the method has none.
        standard_error: Monte-Carlo error of the importance, of the same shape; ``None`` if the method has none.
        measures: quantity that each map measures, where it is not the reference's measure: ``{"importance": "HSIC"}``.
        signed: whether there is a neutral value, below which a unit pushes the score down.
        neutral: the neutral value of the importance.
        n_masks: number of perturbed inputs evaluated.
        n_blocks: number of blocks the masks were drawn in.
        degrees_of_freedom: degrees of freedom of the standard error.
        reliability: estimated correlation with the converged map, in [0, 1]; NaN if unknown.
    """

    importance: np.ndarray
    uncertainty: np.ndarray | None = None
    standard_error: np.ndarray | None = None
    measures: dict[str, str] = field(default_factory=dict)
    signed: bool = False
    neutral: float = 0.0
    n_masks: int = 0
    n_blocks: int = 0
    degrees_of_freedom: int = 0
    reliability: float = nan
