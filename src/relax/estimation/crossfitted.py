"""Estimator whose mean is exact for any encoder: moments, with the regression of other masks as control variate.

The regression (:mod:`relax.estimation.regression`) shrinks: with few masks its map is smoother than the truth. Here the
masks come in two folds of independent strata. Each fold has a regression of its own, and corrects that of the other
one: with the coefficients ``a`` of the other fold and kept shares ``X = M − keep`` of a fold,

``Cov(s, M_p) ≈ mean((s − level − aᵀX) X_p) + (C a)_p``,   ``C = E[X Xᵀ]`` under the design,

and the importance is the paper's, ``R_p = E[s M_p] / E[M_p] = E[s] + Cov(s, M_p) / keep``. As ``a`` and the level are
independent of the fold's masks, and ``C`` of both, the mean over masks is R whatever ``a`` is; the better ``a``
predicts the scores, the smaller is the error (Chernozhukov et al., 2018, on cross-fitting; Owen, *Monte Carlo theory*,
§8.9, on control variates). The estimate is not cut to the range of the scores, which would bias it.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from relax.estimation.maps import Maps
from relax.estimation.observed import Observed
from relax.estimation.regression import Regression
from relax.estimation.sequences import scrambled_net
from relax.estimation.strata import Perturbed, Tried
from relax.modalities.resolution import Resolution
from relax.modalities.units import Block, Masks

FOLDS = 2

NETS = 8
"""Number of nets of four placements over which the covariance of the kept shares is averaged."""


class CrossFitted:
    """Unbiased estimate of the paper's importance on a grid of cells; implements ``Estimator``.

    Strata with even numbers are the first fold, the others the second.

    Args:
        cells: cells of the map, with the kernels of the regressions' prior.
    """

    def __init__(self, cells: Resolution) -> None:
        self.cells = cells
        self.folds = [Regression(cells) for _ in range(FOLDS)]
        self._covered: list[list[Tensor]] = [[] for _ in range(FOLDS)]  # by fold and stratum
        self._covariances: list[tuple[Masks, Tensor]] = []
        self._known: tuple[int, tuple[Tensor, Tensor]] | None = None

    @property
    def n_masks(self) -> int:
        """Number of masks so far."""
        return sum(fold.n_masks for fold in self.folds)

    @property
    def n_blocks(self) -> int:
        """Number of blocks so far."""
        return sum(fold.n_blocks for fold in self.folds)

    def update(self, tried: Tried) -> None:
        """Add one scored block of masks."""
        fold, number = tried.number % FOLDS, tried.number // FOLDS
        if number == len(self._covered[fold]):
            self._covered[fold].append(self._covariance_of(tried.perturbed))
        self.folds[fold].update(replace(tried, number=number))

    def close_round(self) -> None:
        """Do nothing: all masks of a fold enter one regression."""

    def reliability(self) -> float:
        """Estimated correlation of the importance with the true one, in [0, 1]; NaN before both folds have masks."""
        if not all(fold.n_masks for fold in self.folds):
            return math.nan
        effects, variance = self._estimate()
        spread = float(effects.var(correction=0))
        return math.sqrt(max(1 - float(variance.mean()) / spread, 0.0)) if spread > 0 else 0.0

    def maps(self, signed: bool) -> Maps:
        """Maps of all masks so far.

        Args:
            signed: whether to interpret the importance relative to its neutral value.
        """
        effects, variance = self._estimate()
        used = [fold for fold in self.folds if fold.n_masks]
        shares = [self._weight(fold) for fold in used]
        level = sum(v * fold.observations.level for v, fold in zip(shares, used, strict=True))
        spread = torch.stack([v * fold.uncertainty() for v, fold in zip(shares, used, strict=True)]).sum(0)
        variance = variance + sum(
            v**2 * fold.observations.level_variance() for v, fold in zip(shares, used, strict=True)
        )
        to_map = self.cells.to_map
        return Maps(
            importance=to_map(level + effects).numpy(),
            uncertainty=to_map(spread).numpy(),
            standard_error=to_map(variance.sqrt()).numpy(),
            n_masks=self.n_masks,
            n_blocks=self.n_blocks,
            degrees_of_freedom=max(sum(item.n_rows for fold in used for item in fold.strata) - 1, 0),
            reliability=self.reliability(),
            signed=signed,
            neutral=level,
        )

    def _estimate(self) -> tuple[Tensor, Tensor]:
        """Effects ``Cov(s, M_p) / E[M_p]`` and the variances of their errors, each ``(P,)``."""
        if self._known is None or self._known[0] != self.n_masks:
            effects = variance = torch.zeros(self.cells.n_cells, dtype=torch.float64)
            for number, fold in enumerate(self.folds):
                other = self.folds[1 - number]
                for k, item in enumerate(fold.strata):
                    level = other.strata[k].level if k < len(other.strata) else 0.0
                    found, error = corrected(item, other.coefficients(k), level, self._covered[number][k])
                    share = self._weight(fold) * item.weight / fold.observations.weight / item.keep
                    effects, variance = effects + share * found, variance + share**2 * error
            self._known = self.n_masks, (effects, variance)
        return self._known[1]

    def _covariance_of(self, perturbed: Perturbed) -> Tensor:
        """Covariance of the kept shares of a stratum; one for all strata of the same masks."""
        for masks, found in self._covariances:
            if masks is perturbed.stratum.masks:
                return found
        self._covariances.append((perturbed.stratum.masks, covariance(self.cells, perturbed)))
        return self._covariances[-1][1]

    def _weight(self, fold: Regression) -> float:
        """Weight of a fold."""
        return fold.observations.weight / sum(each.observations.weight for each in self.folds)


def corrected(item: Observed, coefficients: Tensor, level: float, covered: Tensor) -> tuple[Tensor, Tensor]:
    """Covariance of score and kept shares, ``(P,)``, and the variance of its error, ``(P,)``.

    Args:
        item: scored masks of a stratum.
        coefficients: ``(P,)``, of a model that has not seen these masks.
        level: its mean score.
        covered: ``(P, P)`` covariance of the kept shares under the design.
    """
    shares = item.columns[:, 1:-2]
    residual = item.columns[:, -2] - level * item.columns[:, 0] - shares @ coefficients
    found = shares.T @ residual / item.n_rows + covered @ coefficients
    return found, float(residual.square().sum()) / item.n_rows**2 * covered.diagonal()


def covariance(cells: Resolution, perturbed: Perturbed) -> Tensor:
    """Covariance of the shares of cells that the masks of a stratum keep, ``(P, P)`` float64.

    Given the placement of the units it is exact; it is averaged over scrambled nets of placements, whose mean is exact.

    Args:
        cells: cells of the map.
        perturbed: the input under the stratum.
    """
    units, keep, seed = perturbed.units, perturbed.stratum.masks.keep, perturbed.stratum.seed
    bits = torch.eye(units.n_units)
    if all(n == 1 for n in units.placements):
        placements = [np.zeros(len(units.placements))]
    else:
        streams = [np.random.default_rng([seed, 0x636F76, net]) for net in range(NETS)]
        placements = [point for stream in streams for point in scrambled_net(len(units.placements), stream)]
    total = torch.zeros(cells.n_cells, cells.n_cells, dtype=torch.float64)
    for point in placements:
        placement = torch.from_numpy((point * units.placements).astype(np.int64))[None]
        shares = cells.seen(units, Block(bits, placement).to(perturbed.device))
        total += shares.T @ shares
    return keep * (1 - keep) * total / len(placements)
