"""Bayesian linear regression of scores on masks, with a Gaussian-process prior on the effects.

The score of mask n of stratum k is modelled as

    s_n = μ_k + Σ_p a_p (M_np − ½) + ε_n,   a ~ N(0, Σ_j w_j K_j),   ε_n ~ N(0, σ_k²),   flat prior on μ_k,

where M_np is the share of cell p that the mask keeps. The kernels K_j are given; their weights w_j and the noise
variances σ_k² maximise the restricted marginal likelihood (REML; Rasmussen & Williams, *Gaussian Processes for Machine
Learning*, 2006, §2.7 and §5.4). With S = X (Σ w_j K_j) Xᵀ + diag(σ²), one column of U per stratum, and
P = S⁻¹ − S⁻¹U (UᵀS⁻¹U)⁻¹ UᵀS⁻¹:

* log likelihood (up to a constant) −½ [log|S| + log|UᵀS⁻¹U| + yᵀPy];
* posterior mean of the effects K Xᵀ P y, posterior covariance K − K Xᵀ P X K.

As the number of masks grows the prior fades, and the posterior mean converges to the least-squares effects.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

WEIGHT_RANGE = (1e-6, 1e2)
"""Smallest and largest weight of a kernel: variance of the scores that it explains, in that of the response."""

NOISE_RANGE = (1e-4, 1e1)
"""Smallest and largest noise variance, in the variance of the response; far enough from zero to be solved safely."""


@dataclass(frozen=True, eq=False)
class Rows:
    """Observations of a regression.

    Attributes:
        levels: ``(N, K)`` float64 coefficients of the levels μ, 1 in the row's stratum, else 0; no columns for rows
            without a level, such as differences.
        masks: ``(N, P)`` float64 share of each cell that the mask keeps, minus the keep probability.
        responses: ``(N, V)`` float64, one column per response.
        stratum: ``(N,)`` index of each row's stratum.
        counts: ``(K,)`` number of masks in each stratum; larger than its number of rows after compression.
    """

    levels: Tensor
    masks: Tensor
    responses: Tensor
    stratum: Tensor
    counts: Tensor

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
    """

    weights: Tensor
    noise: Tensor


class Marginal:
    """Restricted marginal likelihood of one response.

    Args:
        rows: the observations.
        response: ``(N,)`` float64.
        grams: ``(J, N, N)`` float64 ``X K_j Xᵀ``.
    """

    def __init__(self, rows: Rows, response: Tensor, grams: Tensor) -> None:
        self.rows, self.response, self.grams = rows, response, grams
        self._one_hot = torch.nn.functional.one_hot(rows.stratum, len(rows.counts)).double()

    def value(self, logarithms: np.ndarray) -> tuple[float, np.ndarray]:
        """Negative log likelihood and its gradient.

        Args:
            logarithms: logarithms of the kernels' weights and the noise variances, ``(J + K,)``.
        """
        at = _hyperparameters(logarithms, len(self.grams))
        projection, logarithm = projected(self.rows, torch.tensordot(at.weights, self.grams, 1), at.noise)
        solved = projection @ self.response
        surplus = self.rows.surplus
        value = logarithm + self.response @ solved + (surplus * at.noise.log()).sum()
        traces = self.grams.flatten(1) @ projection.flatten()
        squares = (self.grams @ solved) @ solved
        noise = (projection.diagonal() - solved.square()) @ self._one_hot
        gradient = torch.cat([at.weights * (traces - squares), at.noise * noise + surplus])
        return 0.5 * float(value), 0.5 * gradient.numpy()


def projected(rows: Rows, gram: Tensor, noise: Tensor) -> tuple[Tensor, Tensor]:
    """``P`` ``(N, N)`` and ``log|S| + log|UᵀS⁻¹U|``.

    Args:
        rows: the observations.
        gram: ``(N, N)`` float64 ``X (Σ w_j K_j) Xᵀ``; overwritten.
        noise: ``(K,)`` float64 noise variances.
    """
    gram.diagonal().add_(noise[rows.stratum])
    factor = torch.linalg.cholesky(gram)
    inverse = torch.cholesky_inverse(factor)
    logarithm = 2 * factor.diagonal().log().sum()
    if not rows.levels.shape[1]:
        return inverse, logarithm
    levels = rows.levels.T @ inverse
    between = levels @ rows.levels
    logarithm = logarithm + torch.linalg.slogdet(between).logabsdet
    return inverse - levels.T @ torch.linalg.solve(between, levels), logarithm


def _hyperparameters(logarithms: np.ndarray, n_kernels: int) -> Hyperparameters:
    values = torch.from_numpy(logarithms).exp()
    return Hyperparameters(values[:n_kernels], values[n_kernels:])


def fitted(rows: Rows, response: Tensor, grams: Tensor, iterations: int = 60) -> Hyperparameters:
    """Maximise the marginal likelihood by L-BFGS.

    Every fit starts from equal shares of the variance for kernels and noise. A weight that few masks drove to its lower
    bound has no gradient there, so that a fit that started from the last one would never raise it again.

    Args:
        rows: the observations.
        response: ``(N,)`` float64, of variance of about 1.
        grams: ``(J, N, N)`` float64 ``X K_j Xᵀ``.
        iterations: maximum number of iterations.
    """
    from scipy.optimize import minimize  # not before the first masks

    n_kernels, n_strata = len(grams), len(rows.counts)
    scales = grams.diagonal(dim1=1, dim2=2).mean(1).clamp_min(1e-12)
    noise = torch.full((n_strata,), 0.5, dtype=torch.float64)
    weights = [tuple(np.log(np.divide(WEIGHT_RANGE, float(scale)))) for scale in scales]
    bounds = weights + n_strata * [tuple(np.log(NOISE_RANGE))]
    initial = torch.cat([0.5 / n_kernels / scales, noise]).log().numpy()
    done = minimize(
        Marginal(rows, response, grams).value,
        np.clip(initial, *np.transpose(bounds)),
        jac=True,
        method="L-BFGS-B",
        bounds=bounds,
        options={"maxiter": iterations, "ftol": 1e-6},
    )
    return _hyperparameters(done.x, n_kernels)
