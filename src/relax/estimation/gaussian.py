"""Bayesian linear regression of scores on masks, with a Gaussian-process prior on the effects.

The score of mask n of stratum k is modelled as

    s_n = μ_k + Σ_p a_p (M_np − ½) + ε_n,   a ~ N(0, Σ_j w_j K_j),   ε_n ~ N(0, σ_k²),   flat prior on μ_k,

where M_np is the share of cell p that the mask keeps. Slopes, the mean derivatives of the score in M, observe the same
effects, up to a gain g_k of their stratum: d_q = g_k Σ_p C_qp a_p + ε_q, ε_q ~ N(0, r_q σ_k²), for groups C of cells
and relative variances r of the noise. The kernels K_j are given; their weights w_j, the noise variances σ_k² and the
gains maximise the restricted marginal likelihood (REML; Rasmussen & Williams, *Gaussian Processes for Machine
Learning*, 2006, §2.7, §5.4 and §9.4). With X the masks and the groups times their gains, S = X (Σ w_j K_j) Xᵀ +
diag(r σ²), one column of U per stratum, and P = S⁻¹ − S⁻¹U (UᵀS⁻¹U)⁻¹ UᵀS⁻¹:

* log likelihood (up to a constant) −½ [log|S| + log|UᵀS⁻¹U| + yᵀPy];
* posterior mean of the effects K Xᵀ P y, posterior covariance K − K Xᵀ P X K.

As the number of masks grows the prior fades, and the posterior mean converges to the least-squares effects.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

WEIGHT_RANGE = (1e-6, 1e2)
"""Smallest and largest weight of a kernel: variance of the scores that it explains, in that of the response."""

NOISE_RANGE = (1e-4, 1e1)
"""Smallest and largest noise variance, in the variance of the response; far enough from zero to be solved safely."""

GAIN_RANGE = (1e-3, 1e3)
"""Smallest and largest gain of slopes."""


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
    """

    levels: Tensor
    masks: Tensor
    responses: Tensor
    stratum: Tensor
    counts: Tensor
    spread: Tensor | None = None
    gained: Tensor | None = None

    @property
    def with_gain(self) -> Tensor:
        """Whether each stratum has a gain, ``(K,)``."""
        return torch.zeros(len(self.counts), dtype=torch.bool) if self.gained is None else self.gained

    def noise(self, noise: Tensor) -> Tensor:
        """Noise variance of each row, ``(N,)``, from those of the strata, ``(K,)``."""
        own = noise[self.stratum]
        return own if self.spread is None else own * self.spread

    def factors(self, gains: Tensor) -> Tensor:
        """Factor of each row's masks, ``(N,)``: the gain of slopes, else 1."""
        of_stratum = torch.ones(len(self.counts), dtype=torch.float64)
        of_stratum[self.with_gain] = gains
        return of_stratum[self.stratum]

    def beside(self, groups: Tensor, spread: Tensor) -> Rows:
        """These rows and those of one more stratum, of slopes; without responses.

        Args:
            groups: ``(Q, P)`` float64, 1 for the cells of each group.
            spread: ``(Q,)`` float64 relative noise variance of each group's slope.
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
        )

    @property
    def surplus(self) -> Tensor:
        """Number of masks of each stratum without a row, ``(K,)``: their part of the likelihood is noise alone."""
        return self.counts - torch.bincount(self.stratum, minlength=len(self.counts))


@dataclass(frozen=True, eq=False)
class Hyperparameters:
    """Prior and noise of a regression, relative to the variance of the response.

    Attributes:
        weights: ``(J,)`` float64 weights of the kernels.
        noise: ``(K,)`` float64 noise variance of each stratum.
        gains: float64 gain of each stratum of slopes.
    """

    weights: Tensor
    noise: Tensor
    gains: Tensor = field(default_factory=lambda: torch.ones(0, dtype=torch.float64))


class Marginal:
    """Restricted marginal likelihood of one response.

    Args:
        rows: the observations.
        response: ``(N,)`` float64.
        grams: ``(J, N, N)`` float64 ``X K_j Xᵀ``.
    """

    def __init__(self, rows: Rows, response: Tensor, grams: Tensor) -> None:
        self.rows, self.response, self.grams = rows, response, grams.flatten(1)
        self._with_gain = rows.with_gain
        self._of_stratum = torch.nn.functional.one_hot(rows.stratum, len(rows.counts)).double()
        self._spread_of_stratum = rows.noise(torch.ones(len(rows.counts), dtype=torch.float64)) * self._of_stratum.T
        self._surplus = rows.surplus.double()

    def value(self, logarithms: np.ndarray) -> tuple[float, np.ndarray]:
        """Negative log likelihood and its gradient.

        Args:
            logarithms: logarithms of the kernels' weights, the noise variances and the gains, ``(J + K + G,)``.
        """
        at = _hyperparameters(logarithms, len(self.grams), len(self.rows.counts))
        gram = (at.weights @ self.grams).view(len(self.response), -1)
        factors = self.rows.factors(at.gains) if len(at.gains) else None
        if factors is not None:
            gram = gram * factors[:, None] * factors
        projection, logarithm = projected(self.rows, gram.clone(), at.noise @ self._spread_of_stratum)
        solved = projection @ self.response
        value = logarithm + self.response @ solved + self._surplus @ at.noise.log()
        slope = projection - torch.outer(solved, solved)  # of the value in each element of S
        noise = self._spread_of_stratum @ slope.diagonal()
        gains = at.gains
        if factors is not None:
            gains = 2 * ((slope * gram).sum(1) @ self._of_stratum)[self._with_gain]
            slope = slope * factors[:, None] * factors
        weights = self.grams @ slope.flatten()
        gradient = torch.cat([at.weights * weights, at.noise * noise + self._surplus, gains])
        return 0.5 * float(value), 0.5 * gradient.numpy()


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


def _hyperparameters(logarithms: np.ndarray, n_kernels: int, n_strata: int) -> Hyperparameters:
    values = torch.from_numpy(logarithms).exp()
    return Hyperparameters(*values.tensor_split([n_kernels, n_kernels + n_strata]))


def fitted(rows: Rows, response: Tensor, grams: Tensor, iterations: int = 60) -> Hyperparameters:
    """Maximise the marginal likelihood by L-BFGS.

    Every fit starts from equal shares of the variance for kernels and noise. A weight that few masks drove to its lower
    bound has no gradient there, so that a fit that started from the last one would never raise it again.

    Args:
        rows: the observations.
        response: ``(N,)`` float64, of variance of about 1 where it is one of masks.
        grams: ``(J, N, N)`` float64 ``X K_j Xᵀ``, without gains.
        iterations: maximum number of iterations.
    """
    from scipy.optimize import minimize  # not before the first masks

    n_kernels, with_gain = len(grams), rows.with_gain
    of_masks = ~with_gain[rows.stratum]
    scales = grams.diagonal(dim1=1, dim2=2)[:, of_masks].mean(1).clamp_min(1e-12)
    one_hot = torch.nn.functional.one_hot(rows.stratum, len(rows.counts)).double()
    mean_squares = (response.square() @ one_hot / one_hot.sum(0)).clamp_min(1e-12)
    variances = torch.where(with_gain, mean_squares, 1.0)
    weights = [tuple(np.log(np.divide(WEIGHT_RANGE, float(scale)))) for scale in scales]
    noise = [tuple(np.log(np.multiply(NOISE_RANGE, float(variance)))) for variance in variances]
    bounds = weights + noise + int(with_gain.sum()) * [tuple(np.log(GAIN_RANGE))]
    gains = torch.ones(int(with_gain.sum()), dtype=torch.float64)
    initial = torch.cat([0.5 / n_kernels / scales, 0.5 * variances, gains]).log().numpy()
    done = minimize(
        Marginal(rows, response, grams).value,
        np.clip(initial, *np.transpose(bounds)),
        jac=True,
        method="L-BFGS-B",
        bounds=bounds,
        options={"maxiter": iterations, "ftol": 1e-6},
    )
    return _hyperparameters(done.x, n_kernels, len(rows.counts))
