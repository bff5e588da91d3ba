"""Estimator that regresses the scores of all strata on the cells that their masks keep.

RELAX's effect of a unit, ``E[s | shown] − E[s]``, is half its Banzhaf value, and the coefficients of a linear
regression of the score on the bits of fair masks are the Banzhaf values (Hammer & Holzman, 1992; Liu et al., *Kernel
Banzhaf*, arXiv 2410.08336). One regression (:mod:`relax.estimation.gaussian`) estimates the coefficients of the cells
under every fill from masks of all kinds and fills at once: fills share what their effects have in common, as far as the
likelihood supports it. With ``a`` the mean of the coefficients over strata with their predefined weights v:

* importance ``R_p = Σ_k v_k μ_k + Σ_q w_pq a_q / 2``: the expected score given that the unit that contains cell p is
  shown (for images 1/49 of the picture, as in the paper), on average over strata and over the places of the unit;
  ``w_pq`` is the mean share of cell q in it. Fixed units are cells themselves. As a conditional mean of scores it is
  kept within the range of those observed, and no factor depends on the input's content. With a keep probability q,
  ``1 − q`` stands for ½;
* uncertainty: the variance of the score given that the unit is shown, under one stratum, on average over strata. The
  squared deviations ``(s − μ_k)²`` are regressed likewise, with a prior of their own: ``U_p = v + Σ_q w_pq c_q / 2 −
  Σ_k v_k (Σ_q w_pq a_kq / 2)²``. Where their pattern is no more than noise, the prior shrinks it to a constant;
* standard error: posterior standard deviation of R. It includes what the masks cannot resolve.

The masks of a fold-over design come in pairs with their complements, ``M' = 1 − M``. Half the difference of their
scores obeys ``(s − s') / 2 = Σ_p a_p (M_p − ½) + ε`` without a level and without any interaction of even order, and
their mean has no effects in it. Pairs are therefore regressed by their differences, half as many rows with less noise,
and the level is the mean of the means. Masks without complements are regressed one by one.

A method may observe slopes, too (``relax-gradient``): a backward pass gives the derivative of one masked input's score
in the kept share of all cells at once. Their means over the masks of a stratum, summed over groups of cells, are rows
of the same regression, with a gain and a noise of their own; where gradients say nothing about the effects, the
likelihood makes the noise large. A slope is not a finite difference, and more masks do not mend that. But the rows of
masks grow in number and those of slopes do not, so that the estimand stays the same.

The estimand is the least-squares effect of each cell under the masks of the design; the prior fades as masks are added.
Memory is constant: from more rows than cells on, a QR decomposition replaces the rows of a stratum by as many pseudo
rows with the same likelihood.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import torch
from torch import Tensor

from relax.estimation.gaussian import Rows, fitted, projected
from relax.estimation.hyperparameters import Hyperparameters
from relax.estimation.maps import Maps
from relax.estimation.observations import Observations, standardised
from relax.estimation.observed import Observed
from relax.estimation.posterior import Posterior
from relax.estimation.strata import Tried
from relax.modalities.resolution import Resolution

LARGEST_FIT = 1000
"""Number of rows up to which the prior is fitted; it is kept for more rows."""

GROWTH = 1.9
"""The prior is fitted anew when there are this many times the masks."""


class _Given(NamedTuple):
    """What the posterior of the coefficients follows from."""

    weights: Tensor  # (J,), of the prior's kernels
    cross: Tensor  # (N, P), of the response and the coefficients that are asked for
    by_fill: Tensor  # (N, F), by which the covariance with the coefficients under each fill is multiplied
    single: Tensor  # (N, P), what is multiplied by it
    toward: Tensor  # (F,), weight of each fill in the coefficients that are asked for
    projection: Tensor  # (N, N)
    response: Tensor  # (N,), standardised
    scale: float  # from a coefficient to an effect
    spread: float  # variance of the coefficients, averaged over fills, in that of the first fill's


class Regression:
    """Gaussian-process regression of the score on the cells that masks keep; implements ``Estimator``.

    Args:
        cells: cells of the map, with the kernels of the prior, from rough to smooth.

    Attributes:
        observations: what was observed.
    """

    def __init__(self, cells: Resolution) -> None:
        self.cells = cells
        self.n_masks = 0
        self.n_blocks = 0
        self.observations = Observations()
        self._prior: Hyperparameters | None = None
        self._fitted_to = (0, 0)  # masks, strata
        self._to_fit: tuple[Rows, Tensor] | None = None  # rows and their responses, slopes among them
        self._known: tuple[int, Posterior] | None = None
        self._crossed: tuple[Tensor, Tensor] | None = None

    def update(self, tried: Tried) -> None:
        """Add one scored block of masks."""
        stratum = tried.perturbed.stratum
        shares = self.cells.seen(tried.perturbed.units, tried.block.to(tried.perturbed.device)) - stratum.masks.keep
        if tried.number == len(self.strata):
            moving = any(n > 1 for n in tried.perturbed.units.placements)
            self.observations.opened(stratum, self.cells.n_cells, tried.perturbed.design.group if moving else 1)
        self.strata[tried.number].add(shares, tried.scores.cpu(), tried.block.bits)
        self.n_masks += len(shares)
        self.n_blocks += 1
        if tried.slopes is not None:
            slopes = self.cells.slopes(tried.perturbed.units, tried.block.to(tried.perturbed.device), tried.slopes)
            self.strata[tried.number].slopes.add(slopes)
        if self._stale:
            self._fit()

    def _fit(self) -> None:
        """Have the prior fitted to the masks so far when it is next asked for, unless it is kept."""
        rows = self.observations.rows()
        if len(rows.masks) <= LARGEST_FIT or len(self.strata) > self._fitted_to[1]:
            self._to_fit = self.observations.scores(rows, self.cells.groups)[:2]  # slopes as they are now, not later
        self._fitted_to = self.n_masks, len(self.strata)

    def _latest_prior(self) -> Hyperparameters | None:
        """The prior, fitted now if it is to be."""
        if self._to_fit is not None:
            (rows, response), self._to_fit = self._to_fit, None
            self._prior = fitted(rows, response, _grams(rows, self._crosses(rows)))
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
        posterior, level = self.posterior(), self.observations.level
        variance = posterior.variances.clamp_min(0) + self.observations.level_variance()
        to_map, (least, most) = self.cells.to_map, self.observations.range
        return Maps(
            importance=to_map((level + posterior.effects).clamp(least, most)).numpy(),
            uncertainty=to_map(self.uncertainty()).numpy(),
            standard_error=to_map(variance.sqrt()).numpy(),
            n_masks=self.n_masks,
            n_blocks=self.n_blocks,
            degrees_of_freedom=max(sum(item.n_rows for item in self.strata) - 1, 0),
            reliability=posterior.reliability(),
            signed=signed,
            neutral=level,
        )

    def posterior(self) -> Posterior:
        """Posterior of the effects, given all masks so far."""
        if self._known is None or self._known[0] != self.n_masks:
            given = self._given(*self._observed(), len(self.cells.kernels), self._latest_prior())
            prior = self._covariance(given)
            over_units = self.cells.over_units(given.cross)
            variances = self.cells.variances(prior) - (over_units * (given.projection @ over_units)).sum(0)
            _, common = _sums(given, prior, self.cells.mean_unit[None])
            effects, squares = self._effects(given), self._squares(given)
            self._known = self.n_masks, Posterior(effects, given.scale**2 * variances, float(common), squares)
        return self._known[1]

    def sums(self, weights: Tensor) -> tuple[Tensor, Tensor]:
        """Posterior mean ``(V,)`` and covariance ``(V, V)`` of sums of effects of cells.

        Args:
            weights: ``(V, P)`` float64 weight of each cell in each sum.
        """
        given = self._given(*self._observed(), len(self.cells.kernels), self._latest_prior())
        return _sums(given, self._covariance(given), weights)

    def _covariance(self, given: _Given) -> Tensor:
        """Prior covariance of the coefficients that are asked for, ``(P, P)``."""
        return _mixed(given.spread * given.weights, (kernel.matrix for kernel in self.cells.kernels))

    @property
    def strata(self) -> list[Observed]:
        """What was observed of each stratum."""
        return self.observations.strata

    def coefficients(self, stratum: int) -> Tensor:
        """Posterior mean of the coefficient of each cell under a stratum, ``(P,)``; 0 before its first mask."""
        if stratum >= len(self.strata):
            return torch.zeros(self.cells.n_cells, dtype=torch.float64)
        shares = [float(number == stratum) for number in range(len(self.strata))]
        given = self._given(*self._observed(), len(self.cells.kernels), self._latest_prior(), shares)
        return given.scale / self.observations.removed * (given.cross.T @ (given.projection @ given.response))

    def uncertainty(self) -> Tensor:
        """Variance of the score under one stratum given that a unit is shown, on average over strata, ``(P,)``."""
        rows = self.observations.rows()
        levels = torch.tensor([item.level for item in self.strata], dtype=torch.float64)[rows.stratum]
        scores, squares = rows.responses.T
        deviations = squares - 2 * levels * scores + levels.square() * rows.levels.sum(1)
        spread = self._effects(self._given(rows, *standardised(rows, deviations), self.cells.n_smooth, None))
        return (self.observations.variance + spread - self.posterior().squares).clamp_min(0)

    def _effects(self, given: _Given) -> Tensor:
        """Posterior mean of the effects of the units, ``(P,)``."""
        coefficients = given.cross.T @ (given.projection @ given.response)
        return given.scale * self.cells.over_units(coefficients[None])[0]

    def _squares(self, given: _Given) -> Tensor:
        """Squared posterior mean of the effects of the units under each fill, on average over fills, ``(P,)``."""
        solved = given.projection @ given.response
        coefficients = given.single.T @ (given.by_fill * solved[:, None])
        return (given.scale * self.cells.over_units(coefficients.T)).square().T @ given.toward

    def _observed(self) -> tuple[Rows, Tensor, float]:
        return self.observations.scores(self.observations.rows(), self.cells.groups)

    def _given(
        self,
        rows: Rows,
        response: Tensor,
        scale: float,
        n_kernels: int,
        prior: Hyperparameters | None,
        shares: list[float] | None = None,
    ) -> _Given:
        """Fit the last kernels, unless there is a prior, and project.

        Args:
            rows: the observations.
            response: ``(N,)``, standardised.
            scale: its unit.
            n_kernels: number of kernels, the smoothest ones.
            prior: the hyperparameters; ``None`` fits them.
            shares: weight of each stratum's coefficients in those that are asked for; by default as in the level.
        """
        crosses = self._crosses(rows)[-n_kernels:]
        if prior is None:
            prior = fitted(rows, response, _grams(rows, crosses))
        cross = _mixed(prior.weights, crosses)
        gram, related = cross @ rows.masks.T, rows.related(prior)
        if related is not None:
            gram *= related
        projection, _ = projected(rows, gram, rows.noise(prior.noise))
        toward = self.observations.over_fills(shares or self.observations.shares)
        covariance = prior.sharing.covariance()
        by_fill = (covariance / prior.sharing.gains[:, None])[rows.fill] * rows.factors(prior)[:, None]
        return _Given(
            weights=prior.weights,
            cross=cross * (by_fill @ toward)[:, None],
            by_fill=by_fill,
            single=cross,
            toward=toward,
            projection=projection,
            response=response,
            scale=scale * self.observations.removed,
            spread=float(toward @ covariance @ toward),
        )

    def _crosses(self, rows: Rows) -> Tensor:
        """``X K_j``, ``(J, N, P)``: most of the work, and the same for all fits to the same masks."""
        if self._crossed is None or self._crossed[0] is not rows.masks:
            self._crossed = rows.masks, torch.stack([kernel.after(rows.masks) for kernel in self.cells.kernels])
        return self._crossed[1]

    @property
    def _stale(self) -> bool:
        n_masks, n_strata = self._fitted_to
        return self.n_masks >= GROWTH * n_masks or len(self.strata) > n_strata


def _sums(given: _Given, prior: Tensor, weights: Tensor) -> tuple[Tensor, Tensor]:
    """Posterior mean and covariance of weighted sums of coefficients, as effects."""
    cross = given.cross @ weights.T
    covariance = weights @ prior @ weights.T - cross.T @ given.projection @ cross
    return given.scale * (cross.T @ (given.projection @ given.response)), given.scale**2 * covariance


def _grams(rows: Rows, crosses: Tensor) -> Tensor:
    """``X K_j Xᵀ``, ``(J, N, N)``, from ``X K_j``."""
    return crosses @ rows.masks.T


def _mixed(weights: Tensor, parts: Iterable[Tensor]) -> Tensor:
    """``Σ_j w_j A_j`` of at least one part."""
    each = zip(weights.tolist(), parts, strict=True)
    weight, part = next(each)
    mixed: Tensor = weight * part
    for weight, part in each:
        mixed.add_(part, alpha=weight)
    return mixed
