"""Estimator that regresses the scores of all strata on the cells that their masks keep.

RELAX's effect of a unit, ``E[s | shown] − E[s]``, is half its Banzhaf value, and the coefficients of a linear
regression of the score on the bits of fair masks are the Banzhaf values (Hammer & Holzman, 1992; Liu et al., *Kernel
Banzhaf*, arXiv 2410.08336). One regression (:mod:`relax.estimation.gaussian`) estimates the coefficients ``a`` of the
cells from masks of all kinds and fills at once:

* importance ``R_p = Σ_k v_k μ_k + Σ_q w_pq a_q / 2``: the expected score given that the unit around cell p is shown
  (for images 1/49 of the picture, as in the paper; ``w_pq`` is the share of cell q in it; fixed units are cells
  themselves), on average over strata with their predefined weights v. As a conditional mean of scores it is kept within
  the range of those observed, and no factor depends on the input's content. With a keep probability q, ``1 − q`` stands
  for ½;
* uncertainty: the variance of the score given that the unit is shown. The squared deviations ``(s − μ_k)²`` are
  regressed likewise, with a prior of their own: ``U_p = v + Σ_q w_pq c_q / 2 − (Σ_q w_pq a_q / 2)²``. Where their
  pattern is no more than noise, the prior shrinks it to a constant;
* standard error: posterior standard deviation of R. It includes what the masks cannot resolve.

The masks of a fold-over design come in pairs with their complements, ``M' = 1 − M``. Half the difference of their
scores obeys ``(s − s') / 2 = Σ_p a_p (M_p − ½) + ε`` without a level and without any interaction of even order, and
their mean has no effects in it. Pairs are therefore regressed by their differences, half as many rows with less noise,
and the level is the mean of the means. Masks without complements are regressed one by one.

The estimand is the least-squares effect of each cell under the masks of the design; the prior fades as masks are added.
Memory is constant: from more rows than cells on, a QR decomposition replaces the rows of a stratum by as many pseudo
rows with the same likelihood.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import NamedTuple

import torch
from torch import Tensor

from relax.estimation.gaussian import Hyperparameters, Rows, fitted, projected
from relax.estimation.maps import Maps
from relax.estimation.strata import Tried
from relax.modalities.cells import Cells, UnitCells

LARGEST_FIT = 1000
"""Number of rows up to which the prior is fitted; it is kept for more rows."""

GROWTH = 1.9
"""The prior is fitted anew when there are this many times the masks."""

COMPRESSED = 1.5
"""Rows of a stratum are replaced by pseudo rows when they are this many times the columns."""

SMOOTH = 2
"""Number of kernels of the uncertainty's prior: the last ones, which are the smoothest."""


@dataclass(eq=False)
class _Stratum:
    """Observations of one stratum.

    Attributes:
        weight: weight of the stratum in the level.
        keep: probability of keeping a unit.
        columns: ``(N, 1 + P + 2)`` float64: level, kept shares minus the keep probability, score and its square; of a
            pair of complements, half the differences.
        n_rows: number of rows before compression.
        means: mean score of each block.
        mean_variances: variance of each block's mean if its masks, or pairs of masks, were independent.
        least: smallest score.
        most: largest score.
        squares: mean squared score of each block.
    """

    weight: float
    keep: float
    columns: Tensor
    n_rows: int = 0
    means: list[float] = field(default_factory=list)
    squares: list[float] = field(default_factory=list)
    mean_variances: list[float] = field(default_factory=list)
    least: float = math.inf
    most: float = -math.inf

    def add(self, shares: Tensor, scores: Tensor) -> None:
        """Add a block of masks, ``(B, P)`` shares minus the keep probability and ``(B,)`` scores."""
        self.least, self.most = min(self.least, float(scores.min())), max(self.most, float(scores.max()))
        self.means.append(float(scores.mean()))
        self.squares.append(float(scores.square().mean()))
        columns = torch.cat([torch.ones(len(scores), 1).double(), shares, scores[:, None], scores[:, None] ** 2], 1)
        half, independent = len(columns) // 2, scores
        if len(columns) % 2 == 0 and torch.allclose(shares[:half], -shares[half:], atol=1e-5):
            columns = (columns[:half] - columns[half:]) / 2
            independent = (scores[:half] + scores[half:]) / 2
        self.mean_variances.append(float(independent.var(correction=0)) / max(len(independent) - 1, 1))
        self.columns = torch.cat([self.columns, columns])
        self.n_rows += len(columns)
        if len(self.columns) > COMPRESSED * columns.shape[1]:
            self.columns = torch.linalg.qr(self.columns, mode="r").R

    @property
    def level(self) -> float:
        """Mean score of all masks."""
        return sum(self.means) / len(self.means)

    @property
    def variance(self) -> float:
        """Variance of the score over all masks."""
        return max(sum(self.squares) / len(self.squares) - self.level**2, 0.0)


@dataclass(frozen=True, eq=False)
class Posterior:
    """Posterior of the effects of the units: the sums of the coefficients of their cells, times one minus keep.

    Attributes:
        effects: ``(P,)`` posterior mean of the effects.
        covariance: ``(P, P)`` posterior covariance of the effects.
    """

    effects: Tensor
    covariance: Tensor

    def reliability(self) -> float:
        """Estimated correlation of the effects with the true ones, in [0, 1].

        ``ρ² = V / (V + E)``, with the spatial variance V of the posterior mean, and the expected spatial variance E of
        its error. An error that all cells share does not count.
        """
        signal = float(self.effects.var(correction=0))
        noise = float(self.covariance.diagonal().mean() - self.covariance.mean())
        return math.sqrt(signal / (signal + max(noise, 0.0))) if signal > 0 else 0.0


class _Given(NamedTuple):
    """What the posterior of the coefficients follows from."""

    covariance: Tensor  # (P, P), of the prior
    cross: Tensor  # (N, P), of the response and the coefficients
    projection: Tensor  # (N, N)
    response: Tensor  # (N,), standardised
    scale: float  # from a coefficient to an effect


class Regression:
    """Gaussian-process regression of the score on the cells that masks keep; implements ``Estimator``.

    Args:
        cells: cells of the map, with the kernels of the prior, from rough to smooth.
    """

    def __init__(self, cells: Cells | UnitCells) -> None:
        self.cells = cells
        self.n_masks = 0
        self.n_blocks = 0
        self._strata: list[_Stratum] = []
        self._prior: Hyperparameters | None = None
        self._fitted_to = (0, 0)  # masks, strata
        self._to_fit: Rows | None = None
        self._observed: tuple[int, Rows] | None = None
        self._known: tuple[int, Posterior] | None = None

    def update(self, tried: Tried) -> None:
        """Add one scored block of masks."""
        stratum = tried.perturbed.stratum
        keep = stratum.masks.keep
        shares = self.cells.seen(tried.perturbed.units, tried.block.to(tried.perturbed.device)) - keep
        if tried.number == len(self._strata):
            self._strata.append(_Stratum(stratum.weight, keep, shares.new_zeros(0, shares.shape[1] + 3)))
        self._strata[tried.number].add(shares, tried.scores.cpu())
        self.n_masks += len(shares)
        self.n_blocks += 1
        if self._stale:
            self._fit()

    def _fit(self) -> None:
        """Have the prior fitted to the masks so far, unless there are too many, when it is next asked for."""
        rows = self._rows()
        if len(rows.masks) <= LARGEST_FIT or (self._prior is None and self._to_fit is None):
            self._to_fit = rows
        self._fitted_to = self.n_masks, len(self._strata)

    def _latest_prior(self) -> Hyperparameters | None:
        """The prior, fitted now if it is to be."""
        if self._to_fit is not None:
            rows, self._to_fit = self._to_fit, None
            response, _ = _standardised(rows, rows.responses[:, 0])
            self._prior = fitted(rows, response, _grams(rows, self.cells.kernels))
        return self._prior

    def close_round(self) -> None:
        """Do nothing: all masks enter one regression."""

    def reliability(self) -> float:
        """Estimated correlation of the importance with the converged map, in [0, 1]."""
        return self.posterior().reliability()

    def maps(self, signed: bool) -> Maps:
        """Maps of all masks so far.

        Args:
            signed: whether to interpret the importance relative to its neutral value.
        """
        posterior = self.posterior()
        weights = self._level_weights()
        level = sum(v * item.level for v, item in zip(weights, self._strata, strict=True))
        variance = posterior.covariance.diagonal().clamp_min(0) + self._level_variance()
        to_map = self.cells.to_map
        least, most = min(item.least for item in self._strata), max(item.most for item in self._strata)
        return Maps(
            importance=to_map((level + posterior.effects).clamp(least, most)).numpy(),
            uncertainty=to_map(self._uncertainty(posterior)).numpy(),
            standard_error=to_map(variance.sqrt()).numpy(),
            n_masks=self.n_masks,
            n_blocks=self.n_blocks,
            degrees_of_freedom=max(sum(item.n_rows for item in self._strata) - 1, 0),
            reliability=posterior.reliability(),
            signed=signed,
            neutral=level,
        )

    def posterior(self) -> Posterior:
        """Posterior of the effects, given all masks so far."""
        if self._known is None or self._known[0] != self.n_masks:
            rows = self._rows()
            found = self._posterior(rows, rows.responses[:, 0], self.cells.kernels, self._latest_prior())
            self._known = self.n_masks, found
        return self._known[1]

    def _uncertainty(self, posterior: Posterior) -> Tensor:
        """Variance of the score given that a unit is shown, ``(P,)``."""
        rows = self._rows()
        levels = torch.tensor([item.level for item in self._strata], dtype=torch.float64)[rows.stratum]
        scores, squares = rows.responses.T
        deviations = squares - 2 * levels * scores + levels.square() * rows.levels.sum(1)
        spread = self._effects(self._given(rows, deviations, self.cells.kernels[-SMOOTH:], None))
        mean = sum(v * item.variance for v, item in zip(self._level_weights(), self._strata, strict=True))
        return (mean + spread - posterior.effects.square()).clamp_min(0)

    def _posterior(self, rows: Rows, response: Tensor, kernels: Tensor, prior: Hyperparameters | None) -> Posterior:
        given = self._given(rows, response, kernels, prior)
        over_units, cross = self.cells.over_units, given.cross
        covariance = given.covariance - cross.T @ given.projection @ cross
        return Posterior(self._effects(given), given.scale**2 * over_units(over_units(covariance).T))

    def _effects(self, given: _Given) -> Tensor:
        """Posterior mean of the effects of the units, ``(P,)``."""
        coefficients = given.cross.T @ (given.projection @ given.response)
        return given.scale * self.cells.over_units(coefficients[None])[0]

    def _given(self, rows: Rows, response: Tensor, kernels: Tensor, prior: Hyperparameters | None) -> _Given:
        standardised, scale = _standardised(rows, response)
        if prior is None:
            prior = fitted(rows, standardised, _grams(rows, kernels))
        covariance = torch.tensordot(prior.weights, kernels, 1)
        cross = rows.masks @ covariance
        projection, _ = projected(rows, cross @ rows.masks.T, prior.noise)
        scale *= sum(v * (1 - item.keep) for v, item in zip(self._level_weights(), self._strata, strict=True))
        return _Given(covariance, cross, projection, standardised, scale)

    @property
    def _stale(self) -> bool:
        n_masks, n_strata = self._fitted_to
        return self.n_masks >= GROWTH * n_masks or len(self._strata) > n_strata

    def _rows(self) -> Rows:
        """Observations of all masks so far."""
        if self._observed is None or self._observed[0] != self.n_masks:
            stratum = torch.cat([torch.full((len(item.columns),), k) for k, item in enumerate(self._strata)])
            columns = torch.cat([item.columns for item in self._strata])
            levels = torch.nn.functional.one_hot(stratum, len(self._strata)) * columns[:, :1]
            counts = torch.tensor([item.n_rows for item in self._strata])
            if not levels.any():
                levels = levels[:, :0]  # pairs have no level
            self._observed = self.n_masks, Rows(levels, columns[:, 1:-2], columns[:, -2:], stratum, counts)
        return self._observed[1]

    def _level_weights(self) -> list[float]:
        total = sum(item.weight for item in self._strata)
        return [item.weight / total for item in self._strata]

    def _level_variance(self) -> float:
        """Variance of the level; from the spread between blocks, whose placements differ, where there are several."""
        found = 0.0
        for v, item in zip(self._level_weights(), self._strata, strict=True):
            means = torch.tensor(item.means, dtype=torch.float64)
            found += v**2 * (float(means.var()) / len(means) if len(means) > 1 else item.mean_variances[0])
        return found


def _grams(rows: Rows, kernels: Tensor) -> Tensor:
    """``X K_j Xᵀ``, ``(J, N, N)``."""
    return rows.masks @ kernels @ rows.masks.T


def _standardised(rows: Rows, response: Tensor) -> tuple[Tensor, float]:
    """A response over its standard deviation within strata, and that standard deviation."""
    within = response
    if rows.levels.shape[1]:
        means = (rows.levels.T @ response) / rows.levels.square().sum(0)
        within = response - rows.levels @ means
    scale = float((within.square().sum() / rows.counts.sum()).sqrt()) or 1.0
    return response / scale, scale
