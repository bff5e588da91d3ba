"""Bayesian linear regression of scores on masks, with a Gaussian-process prior on the effects.

The score of mask n of stratum k is modelled as

    s_n = μ_k + Σ_p a_fp (M_np − ½) + ε_n,   a_f ~ N(0, Σ_j w_j K_j),   ε_n ~ N(0, σ_k²),   flat prior on μ_k,

where M_np is the share of cell p that the mask keeps, and f the stratum's fill. The effects under different fills are
alike, up to a gain, and each has a part of its own: a_f = g_f (a + b_f), an intrinsic model of coregionalisation
(Bonilla et al., *Multi-task Gaussian Process Prediction*, 2007) with correlation c between fills. Slopes, the mean
derivatives of the score in M, observe the same effects, up to a gain h_k of their stratum: d_q = h_k Σ_p C_qp a_fp +
ε_q, ε_q ~ N(0, r_q σ_k²), for groups C of cells and relative variances r of the noise.

The kernels K_j are given. Their weights w_j, the noise variances σ_k², the gains and c maximise the restricted marginal
likelihood (REML; Rasmussen & Williams, *Gaussian Processes for Machine Learning*, 2006, §2.7, §5.4 and §9.4) times
their prior (:mod:`relax.estimation.hyperparameters`). With X the masks and the groups times their gains, B the
correlation between fills of each pair of rows, S = X (Σ w_j K_j) Xᵀ ∘ B + diag(r σ²), one column of U per stratum, and
P = S⁻¹ − S⁻¹U (UᵀS⁻¹U)⁻¹ UᵀS⁻¹:

* log likelihood (up to a constant) −½ [log|S| + log|UᵀS⁻¹U| + yᵀPy];
* posterior mean of the effects under fill f: Cᵀ P y, posterior covariance g_f² K − Cᵀ P C, with C the rows of X K
  times g_f and their correlation with f; of mean effects over fills, with C and the variance averaged likewise.

As the number of masks grows the prior fades, and the posterior mean converges to the least-squares effects of each
fill.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from relax.estimation.hyperparameters import Hyperparameters, Layout


@dataclass(frozen=True, eq=False)
class Rows:
    """Observations of a regression.

    Attributes:
        levels: ``(N, L)`` float64 coefficients of the levels μ, 1 in the row's stratum, else 0; no columns for rows
            without a level, such as differences.
        masks: ``(N, P)`` float64 share of each cell that the mask keeps, minus the keep probability; for slopes, 1 for
            the cells of the group.
        responses: ``(N, V)`` float64, one column per response.
        stratum: ``(N,)`` index of each row's stratum.
        counts: ``(K,)`` number of masks in each stratum; larger than its number of rows after compression.
        spread: ``(N,)`` float64 noise variance of each row relative to its stratum's; ``None`` for 1.
        gained: ``(K,)`` whether the rows of a stratum are slopes, which have a gain; ``None`` for none.
        fills: ``(K,)`` index of each stratum's fill; ``None`` for one fill.
    """

    levels: Tensor
    masks: Tensor
    responses: Tensor
    stratum: Tensor
    counts: Tensor
    spread: Tensor | None = None
    gained: Tensor | None = None
    fills: Tensor | None = None

    @property
    def with_gain(self) -> Tensor:
        """Whether each stratum has a gain, ``(K,)``."""
        return torch.zeros(len(self.counts), dtype=torch.bool) if self.gained is None else self.gained

    @property
    def fill(self) -> Tensor:
        """Index of each row's fill, ``(N,)``."""
        return torch.zeros_like(self.stratum) if self.fills is None else self.fills[self.stratum]

    @property
    def n_fills(self) -> int:
        """Number of fills F."""
        return 1 if self.fills is None else int(self.fills.max()) + 1

    def noise(self, noise: Tensor) -> Tensor:
        """Noise variance of each row, ``(N,)``, from those of the strata, ``(K,)``."""
        own = noise[self.stratum]
        return own if self.spread is None else own * self.spread

    def factors(self, at: Hyperparameters) -> Tensor:
        """Factor of each row's masks, ``(N,)``: the gain of its fill, and that of slopes."""
        of_stratum = torch.ones(len(self.counts), dtype=torch.float64)
        of_stratum[self.with_gain] = at.gains
        return of_stratum[self.stratum] * at.sharing.gains[self.fill]

    def related(self, at: Hyperparameters) -> Tensor | None:
        """What the gains and the fills make of the covariance of two rows, ``(N, N)``; ``None`` if nothing."""
        if self.gained is None and self.fills is None:
            return None
        factors = self.factors(at)
        return torch.outer(factors, factors) * at.sharing.between(self.fill)

    def beside(self, groups: Tensor, spread: Tensor, fill: int = 0) -> Rows:
        """These rows and those of one more stratum, of slopes; without responses.

        Args:
            groups: ``(Q, P)`` float64, 1 for the cells of each group.
            spread: ``(Q,)`` float64 relative noise variance of each group's slope.
            fill: index of the fill.
        """
        n, n_strata, n_groups = len(self.masks), len(self.counts), len(groups)
        before = torch.ones(n, dtype=torch.float64) if self.spread is None else self.spread
        return Rows(
            levels=torch.cat([self.levels, self.levels.new_zeros(n_groups, self.levels.shape[1])]),
            masks=torch.cat([self.masks, groups]),
            responses=self.responses[:0],
            stratum=torch.cat([self.stratum, torch.full((n_groups,), n_strata)]),
            counts=torch.cat([self.counts, torch.tensor([n_groups])]),
            spread=torch.cat([before, spread]),
            gained=torch.cat([self.with_gain, torch.tensor([True])]),
            fills=None if self.fills is None else torch.cat([self.fills, torch.tensor([fill])]),
        )

    @property
    def surplus(self) -> Tensor:
        """Number of masks of each stratum without a row, ``(K,)``: their part of the likelihood is noise alone."""
        return self.counts - torch.bincount(self.stratum, minlength=len(self.counts))


class Marginal:
    """Restricted marginal likelihood of one response.

    Attributes:
        layout: places of the hyperparameters.

    Args:
        rows: the observations.
        response: ``(N,)`` float64.
        grams: ``(J, N, N)`` float64 ``X K_j Xᵀ``.
    """

    def __init__(self, rows: Rows, response: Tensor, grams: Tensor) -> None:
        self.rows, self.response, self.grams = rows, response, grams.flatten(1)
        self.layout = Layout(len(grams), len(rows.counts), int(rows.with_gain.sum()), rows.n_fills)
        self._of_stratum = torch.nn.functional.one_hot(rows.stratum, len(rows.counts)).double()
        self._of_fill = torch.nn.functional.one_hot(rows.fill, rows.n_fills).double()
        self._apart = (rows.fill[:, None] != rows.fill).double()
        self._spread_of_stratum = rows.noise(torch.ones(len(rows.counts), dtype=torch.float64)) * self._of_stratum.T
        self._surplus = rows.surplus.double()

    def value(self, logarithms: np.ndarray) -> tuple[float, np.ndarray]:
        """Negative log likelihood and its gradient.

        Args:
            logarithms: logarithms of the hyperparameters, as the layout has them.
        """
        at = self.layout.unpacked(logarithms)
        gram = (at.weights @ self.grams).view(len(self.response), -1)
        related = self.rows.related(at)
        if related is not None:
            gram = gram * related
        projection, logarithm = projected(self.rows, gram.clone(), at.noise @ self._spread_of_stratum)
        solved = projection @ self.response
        value = logarithm + self.response @ solved + self._surplus @ at.noise.log()
        slope = projection - torch.outer(solved, solved)  # of the value in each element of S
        noise = self._spread_of_stratum @ slope.diagonal()
        related_gradient = at.gains
        if related is not None:
            related_gradient = self._related_gradient(at, slope * gram)
            slope = slope * related
        weights = self.grams @ slope.flatten()
        gradient = torch.cat([at.weights * weights, at.noise * noise + self._surplus, related_gradient])
        return 0.5 * float(value), 0.5 * gradient.numpy()

    def _related_gradient(self, at: Hyperparameters, each: Tensor) -> Tensor:
        """Derivatives in the logarithms of the gains, those of fills, and the share of each fill's own effects.

        Args:
            at: the hyperparameters.
            each: ``(N, N)``, derivative in each element's logarithm.
        """
        by_row = each.sum(1)
        gains = 2 * (by_row @ self._of_stratum)[self.rows.with_gain]
        if self.rows.fills is None:
            return gains
        own = (at.sharing.correlation - 1) * (each * self._apart).sum()
        return torch.cat([gains, 2 * (by_row @ self._of_fill)[1:], own[None]])


def projected(rows: Rows, gram: Tensor, noise: Tensor) -> tuple[Tensor, Tensor]:
    """``P`` ``(N, N)`` and ``log|S| + log|UᵀS⁻¹U|``.

    Args:
        rows: the observations.
        gram: ``(N, N)`` float64 ``X (Σ w_j K_j) Xᵀ``, gains included; overwritten.
        noise: ``(N,)`` float64 noise variance of each row.
    """
    gram.diagonal().add_(noise)
    factor = torch.linalg.cholesky(gram)
    inverse = torch.cholesky_inverse(factor)
    logarithm = 2 * factor.diagonal().log().sum()
    if not rows.levels.shape[1]:
        return inverse, logarithm
    levels = rows.levels.T @ inverse
    between = levels @ rows.levels
    logarithm = logarithm + torch.linalg.slogdet(between).logabsdet
    return inverse - levels.T @ torch.linalg.solve(between, levels), logarithm


def fitted(rows: Rows, response: Tensor, grams: Tensor, iterations: int = 60) -> Hyperparameters:
    """Maximise the marginal likelihood times the prior of the hyperparameters by L-BFGS.

    Every fit starts from equal shares of the variance for kernels and noise. A weight that few masks drove to its lower
    bound has no gradient there, so that a fit that started from the last one would never raise it again.

    Args:
        rows: the observations.
        response: ``(N,)`` float64, of variance of about 1 where it is one of masks.
        grams: ``(J, N, N)`` float64 ``X K_j Xᵀ``, without gains.
        iterations: maximum number of iterations.
    """
    from scipy.optimize import minimize  # not before the first masks

    with_gain = rows.with_gain
    of_masks = ~with_gain[rows.stratum]
    scales = grams.diagonal(dim1=1, dim2=2)[:, of_masks].mean(1).clamp_min(1e-12)
    one_hot = torch.nn.functional.one_hot(rows.stratum, len(rows.counts)).double()
    mean_squares = (response.square() @ one_hot / one_hot.sum(0)).clamp_min(1e-12)
    variances = torch.where(with_gain, mean_squares, 1.0)
    marginal = Marginal(rows, response, grams)
    initial, bounds = marginal.layout.initial(scales, variances)

    def objective(logarithms: np.ndarray) -> tuple[float, np.ndarray]:
        value, gradient = marginal.value(logarithms)
        pull = marginal.layout.precisions * (logarithms - initial)
        return value + 0.5 * float(pull @ (logarithms - initial)), gradient + pull

    options = {"maxiter": iterations, "ftol": 1e-6}
    done = minimize(objective, initial, jac=True, method="L-BFGS-B", bounds=bounds, options=options)
    return marginal.layout.unpacked(done.x)
