"""What a method returns."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import nan

import numpy as np


@dataclass(frozen=True, eq=False)
class Maps:
    """Maps of one input, and what they rest on.

    Attributes:
        importance: the map, of the shape of the units' masks: ``(H, W)`` for images.
        uncertainty: spread of the importance or of the score, where the method has one.
        standard_error: Monte-Carlo error of the importance, where the method has one.
        measures: what each map measures, where it is not the score's own: ``{"importance": "HSIC"}``.
        signed: whether there is a neutral value, below which a unit pushes the score down.
        neutral: that value, where there is one.
        n_masks: perturbed inputs that were tried.
        n_blocks: number of blocks the masks were drawn in.
        degrees_of_freedom: of the standard error.
        reliability: estimated correlation with the converged map.
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
