"""Estimators: turn scored blocks of masks into maps."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Protocol

import numpy as np
import torch

from relax.estimation.maps import Maps
from relax.estimation.moments import Moments
from relax.estimation.strata import Tried


class Estimator(Protocol):
    """Interface of an estimator, which accumulates scored blocks of masks in constant memory."""

    @property
    def n_masks(self) -> int:
        """Number of masks so far."""

    @property
    def n_blocks(self) -> int:
        """Number of blocks so far."""

    def update(self, tried: Tried) -> None:
        """Add one scored block of masks."""

    def close_round(self) -> None:
        """Signal the end of a round, in which every stratum had its turn."""

    def reliability(self) -> float:
        """Estimated correlation of the importance with the converged map, in [0, 1]; NaN while unknown."""

    def maps(self, signed: bool) -> Maps:
        """Maps of all masks so far.

        Args:
            signed: whether to interpret the importance relative to its neutral value.
        """


class Ratio:
    """The paper's estimator for one stratum: the ratio of moments ``Σ s M / Σ M`` (:mod:`relax.estimation.moments`).

    Attributes:
        moments: the accumulated sums; ``None`` before the first block.
    """

    def __init__(self) -> None:
        self.moments: Moments | None = None

    @property
    def n_masks(self) -> int:
        """Number of masks so far."""
        return self.moments.n_masks if self.moments else 0

    @property
    def n_blocks(self) -> int:
        """Number of blocks so far."""
        return self.moments.n_blocks if self.moments else 0

    def update(self, tried: Tried) -> None:
        """Add one scored block of masks."""
        device = tried.scores.device
        if self.moments is None:
            self.moments = self._new(tried.perturbed.units.shape, device, tried.perturbed.design.group)
        self.moments.update(tried.perturbed.units_on(device), tried.block.to(device), tried.scores)

    def close_round(self) -> None:
        """Do nothing: with one stratum, every turn is a round."""

    def reliability(self) -> float:
        """Estimated correlation of the importance with the converged map, in [0, 1]; NaN with one block.

        Raises:
            RuntimeError: no masks were added.
        """
        return self._nonempty_moments.reliability()

    def maps(self, signed: bool) -> Maps:
        """Maps of all masks so far.

        Args:
            signed: whether to interpret the importance relative to its neutral value.

        Raises:
            RuntimeError: no masks were added.
        """
        moments = self._nonempty_moments
        return Maps(
            importance=moments.importance().cpu().numpy(),
            uncertainty=moments.uncertainty().cpu().numpy(),
            standard_error=moments.standard_error().cpu().numpy(),
            n_masks=moments.n_masks,
            n_blocks=moments.n_blocks,
            degrees_of_freedom=moments.degrees_of_freedom,
            reliability=moments.reliability(),
            signed=signed,
            neutral=moments.mean_score(),
        )

    @property
    def _nonempty_moments(self) -> Moments:
        if self.moments is None:
            raise RuntimeError("expected at least one block of masks, got none; call update() first")
        return self.moments

    def _new(self, shape: tuple[int, ...], device: torch.device, group: int) -> Moments:
        return Moments(shape, device, group)


class Enumeration(Ratio):
    """The ratio of moments over all masks, each tried once: exact when complete.

    Args:
        total: number of all masks.
    """

    def __init__(self, total: int) -> None:
        super().__init__()
        self.total = total

    def reliability(self) -> float:
        """1 when all masks were tried, NaN before."""
        return 1.0 if self.n_masks >= self.total else math.nan

    def maps(self, signed: bool) -> Maps:
        """Maps of all masks so far; the standard error is 0 when all were tried, NaN before.

        Args:
            signed: whether to interpret the importance relative to its neutral value.
        """
        maps = super().maps(signed)
        error = 0.0 if self.n_masks >= self.total else math.nan
        return replace(maps, standard_error=np.full(maps.importance.shape, error), reliability=self.reliability())
