"""What a regression believes of its effects before it sees them, and how firmly.

The hyperparameters maximise the marginal likelihood times a weak prior of their own: the logarithm of each is normal
around its initial value, which is an equal share of the variance of the response for weights and noises. With few masks
the likelihood alone often puts a kernel's weight or a noise variance at zero, and errors that follow from it are too
small; with many, it outweighs the prior.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor


class Range(NamedTuple):
    """Bounds of a hyperparameter, and the prior of its logarithm.

    Attributes:
        least: smallest value.
        most: largest value.
        spread: standard deviation of the logarithm around the initial value; infinite for a flat prior.
    """

    least: float
    most: float
    spread: float


WEIGHTS = Range(1e-6, 1e2, 1.5)
"""Weight of a kernel: variance of the scores that it explains, in that of the response."""

NOISE = Range(1e-4, 1e1, 1.0)
"""Noise variance, in the variance of the response; far enough from zero to be solved safely."""

SLOPE_NOISE = Range(1e-4, 1e1, math.inf)
"""Noise variance of slopes, of which there are many: next to none if the score is linear."""

GAINS = Range(1e-3, 1e3, math.inf)
"""Gain of slopes, whose unit is not that of differences."""

FILL_GAINS = Range(1e-1, 1e1, 1.0)
"""Gain of the effects under a fill, in that of the first fill."""

OWN = Range(1e-3, 1e2, 1.0)
"""Variance of the effects that a fill has of its own, in that of the effects that all fills have in common."""

INITIAL_OWN = 0.3


@dataclass(frozen=True, eq=False)
class Sharing:
    """What the effects under several fills have in common: ``a_f = g_f (a + b_f)``, with independent ``b_f``.

    Attributes:
        gains: ``(F,)`` float64 gain g of each fill; the first is 1.
        own: variance of ``b_f`` in that of a.
    """

    gains: Tensor = field(default_factory=lambda: torch.ones(1, dtype=torch.float64))
    own: float = 0.0

    @property
    def correlation(self) -> float:
        """Correlation of the effects under two fills."""
        return 1 / (1 + self.own)

    def between(self, fill: Tensor) -> Tensor:
        """Correlation of the effects that pairs of rows observe.

        Args:
            fill: ``(N,)`` index of each row's fill.

        Returns:
            ``(N, N)`` float64.
        """
        apart = (fill[:, None] != fill).double()
        return 1 - (1 - self.correlation) * apart

    def covariance(self) -> Tensor:
        """Covariance of the effects under the fills, in the variance of those under the first, ``(F, F)``."""
        return self.between(torch.arange(len(self.gains))) * torch.outer(self.gains, self.gains)


@dataclass(frozen=True, eq=False)
class Hyperparameters:
    """Prior and noise of a regression, relative to the variance of the response.

    Attributes:
        weights: ``(J,)`` float64 weights of the kernels.
        noise: ``(K,)`` float64 noise variance of each stratum.
        gains: float64 gain of each stratum of slopes.
        sharing: what the effects under several fills have in common.
    """

    weights: Tensor
    noise: Tensor
    gains: Tensor = field(default_factory=lambda: torch.ones(0, dtype=torch.float64))
    sharing: Sharing = field(default_factory=Sharing)


@dataclass(frozen=True)
class Layout:
    """Places of the hyperparameters in one vector of logarithms.

    Args:
        n_kernels: number of kernels J.
        n_strata: number of strata K, those of slopes included.
        n_gains: number of strata of slopes, which are the last ones.
        n_fills: number of fills F.
    """

    n_kernels: int
    n_strata: int
    n_gains: int = 0
    n_fills: int = 1

    @property
    def ranges(self) -> list[Range]:
        """Range of each hyperparameter."""
        n_weights, n_noise, n_gains, n_fills, n_own = self._sizes
        kinds = (WEIGHTS, NOISE, SLOPE_NOISE, GAINS, FILL_GAINS, OWN)
        sizes = (n_weights, n_noise - n_gains, n_gains, n_gains, n_fills, n_own)
        return [kind for kind, n in zip(kinds, sizes, strict=True) for _ in range(n)]

    @cached_property
    def precisions(self) -> np.ndarray:
        """Precision of the prior of each logarithm."""
        return np.array([each.spread**-2 for each in self.ranges])

    def initial(self, scales: Tensor, variances: Tensor) -> tuple[np.ndarray, np.ndarray]:
        """Logarithms of equal shares of the variance, and their bounds, ``(n,)`` and ``(n, 2)``.

        Args:
            scales: ``(J,)`` mean variance of the rows under each kernel of weight 1.
            variances: ``(K,)`` variance of the responses of each stratum.
        """
        ones, own = scales.new_ones(self.n_gains + self._sizes[3]), scales.new_full((self._sizes[4],), INITIAL_OWN)
        start = torch.cat([0.5 / self.n_kernels / scales, 0.5 * variances, ones, own])
        units = torch.cat([1 / scales, variances, torch.ones_like(ones), torch.ones_like(own)])
        bounds = np.log([(each.least, each.most) for each in self.ranges]) + units.log().numpy()[:, None]
        return np.clip(start.log().numpy(), *bounds.T), bounds

    def unpacked(self, logarithms: np.ndarray) -> Hyperparameters:
        """The hyperparameters."""
        weights, noise, gains, of_fills, own = torch.split(torch.from_numpy(logarithms).exp(), self._sizes)
        if not len(own):
            return Hyperparameters(weights, noise, gains)
        return Hyperparameters(weights, noise, gains, Sharing(torch.cat([own.new_ones(1), of_fills]), float(own)))

    @property
    def _sizes(self) -> list[int]:
        several = self.n_fills > 1
        return [self.n_kernels, self.n_strata, self.n_gains, self.n_fills - 1, int(several)]
