"""Ratio of moments with Bayesian bootstrap resamples over blocks of masks (Rubin 1981)."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from relax.estimation.estimators import Ratio
from relax.estimation.moments import Moments


class Bootstrap(Ratio):
    """The paper's estimator plus K resamples, in which every block has its own exponential weight (Rubin 1981).

    Args:
        seed: random seed of the weights.
        repeats: number of resamples K.
    """

    def __init__(self, seed: int, repeats: int) -> None:
        super().__init__()
        self.seed, self.repeats = seed, repeats

    def resampled(self) -> Tensor:
        """Importance maps of the resamples, ``(K, *shape)`` float64."""
        moments = self._nonempty_moments
        if not isinstance(moments, BootstrappedMoments):
            raise TypeError(f"expected bootstrapped moments, got {type(moments).__name__}")
        return moments.resampled()

    def _new(self, shape: tuple[int, ...], device: torch.device, group: int) -> Moments:
        return BootstrappedMoments(shape, device, group, seed=self.seed, repeats=self.repeats)


class BootstrappedMoments(Moments):
    """Moments with K weighted copies of their sums.

    Args:
        shape: shape of the maps, ``(H, W)`` for images.
        device: device of the sums.
        group: number of consecutive blocks with jointly drawn placements.
        seed: random seed of the weights.
        repeats: number of resamples K.
    """

    def __init__(
        self, shape: tuple[int, ...], device: torch.device | str = "cpu", group: int = 1, *, seed: int, repeats: int
    ) -> None:
        super().__init__(shape, device, group)
        self._weights = np.random.default_rng([seed, repeats])
        self._resamples = torch.zeros(2, repeats, self._sums.shape[1], dtype=torch.float64, device=self._sums.device)

    def add(self, sums: Tensor, n_masks: int) -> None:
        super().add(sums, n_masks)
        weights = torch.from_numpy(self._weights.exponential(size=self._resamples.shape[1])).to(sums.device)
        self._resamples += weights[None, :, None] * sums[:2, None]

    def resampled(self) -> Tensor:
        """Importance maps of the resamples, ``(K, *shape)`` float64."""
        maps: Tensor = (self._resamples[1] / self._resamples[0])[:, :-1]
        return maps.view(-1, *self.shape)
