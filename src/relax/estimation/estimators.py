"""Estimators: from blocks of masks and their scores to maps."""

from __future__ import annotations

from typing import Protocol

import torch

from relax.estimation.maps import Maps
from relax.estimation.moments import Moments
from relax.estimation.strata import Tried


class Estimator(Protocol):
    """What the loop asks of an estimator; it adds up blocks and forgets them."""

    @property
    def n_masks(self) -> int:
        """Masks so far."""

    @property
    def n_blocks(self) -> int:
        """Blocks of them."""

    def update(self, tried: Tried) -> None:
        """Add one block."""

    def close_round(self) -> None:
        """Every stratum has had its turn."""

    def reliability(self) -> float:
        """Estimated correlation of the importance with the converged map, in [0, 1]; NaN while it is not known."""

    def maps(self, signed: bool) -> Maps:
        """The maps of all masks so far.

        Args:
            signed: whether units may also push the score down.
        """


class Ratio:
    """The paper's estimator on one stratum: ratio of moments, ``Σ s M / Σ M`` (:mod:`relax.estimation.moments`).

    Attributes:
        moments: the sums; ``None`` before the first block.
    """

    def __init__(self) -> None:
        self.moments: Moments | None = None

    @property
    def n_masks(self) -> int:
        return self.moments.n_masks if self.moments else 0

    @property
    def n_blocks(self) -> int:
        return self.moments.n_blocks if self.moments else 0

    def update(self, tried: Tried) -> None:
        device = tried.scores.device
        if self.moments is None:
            self.moments = self._new(tried.perturbed.units.shape, device, tried.perturbed.design.group)
        self.moments.update(tried.perturbed.units_on(device), tried.block.to(device), tried.scores)

    def close_round(self) -> None:
        pass

    def reliability(self) -> float:
        return self._tried.reliability()

    def maps(self, signed: bool) -> Maps:
        moments = self._tried
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
    def _tried(self) -> Moments:
        if self.moments is None:
            raise RuntimeError("no mask was tried yet")
        return self.moments

    def _new(self, shape: tuple[int, ...], device: torch.device, group: int) -> Moments:
        return Moments(shape, device, group)
