"""A regression of scores under several fills, whose effects differ: against brute force and closed forms."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

import relax
from relax.estimation.gaussian import Marginal, Rows, fitted
from relax.estimation.hyperparameters import NOISE, Hyperparameters, Layout, Sharing
from relax.estimation.observed import Observed
from relax.estimation.regression import Regression
from relax.modalities.cells import plain_cells

N, P = 30, 6
KERNELS = torch.stack([torch.eye(P), torch.ones(P, P)]).double()
SHARING = Sharing(torch.tensor([1.0, 1.7], dtype=torch.float64), 0.4)
LOGARITHMS = np.log([0.3, 0.2, 0.1, 0.4, 1.7, 0.4])


@pytest.fixture
def rows():
    """Pairs of masks in two strata, each with a fill of its own; no levels."""
    generator = torch.Generator().manual_seed(0)
    masks = (torch.rand(N, P, generator=generator) < 0.5).double() - 0.5
    stratum = torch.tensor([0] * 18 + [1] * 12)
    first, second = torch.linspace(-1, 1, P).double(), torch.linspace(2, -1, P).double()
    response = torch.where(stratum == 0, masks @ first, masks @ second)
    response = response + 0.2 * torch.randn(N, generator=generator).double()
    return Rows(
        torch.zeros(N, 0), masks, response[:, None], stratum, torch.tensor([18, 12]), fills=torch.tensor([0, 1])
    )


def joint(rows):
    """Covariance of the responses, from that of both fills' coefficients as one vector of 2 P."""
    coefficients = torch.kron(SHARING.covariance(), 0.3 * KERNELS[0] + 0.2 * KERNELS[1])
    design = torch.cat([rows.masks * (rows.stratum == k)[:, None] for k in (0, 1)], 1)
    noise = torch.tensor([0.1, 0.4], dtype=torch.float64)[rows.stratum]
    return coefficients, design, design @ coefficients @ design.T + torch.diag(noise)


def test_likelihood_is_that_of_effects_of_two_fills(rows):
    response = rows.responses[:, 0]
    density = torch.distributions.MultivariateNormal(torch.zeros(N).double(), joint(rows)[2]).log_prob(response)
    value, _ = Marginal(rows, response, rows.masks @ KERNELS @ rows.masks.T).value(LOGARITHMS)
    assert value == pytest.approx(-float(density) - N / 2 * np.log(2 * np.pi), rel=1e-9)


def test_gradient_of_the_likelihood_is_its_derivative(rows):
    rows = rows.beside(torch.eye(P).double(), torch.ones(P).double(), fill=1)  # slopes under the second fill
    response = torch.cat([rows.masks[:N] @ torch.ones(P).double(), torch.linspace(0, 1, P).double()])
    marginal = Marginal(rows, response, rows.masks @ KERNELS @ rows.masks.T)
    at = np.log([0.3, 0.2, 0.1, 0.4, 0.2, 0.8, 1.7, 0.4])
    numeric = [(marginal.value(at + step)[0] - marginal.value(at - step)[0]) / 2e-5 for step in 1e-5 * np.eye(len(at))]
    np.testing.assert_allclose(marginal.value(at)[1], numeric, rtol=1e-5)


@pytest.mark.parametrize("weights", [(1.0, 1.0), (1.0, 3.0)])
def test_posterior_is_that_of_the_mean_over_fills(rows, weights):
    kernels = {"one": KERNELS[0], "all": KERNELS[1]}
    cells = plain_cells((P,)).__class__((P,), (P,), kernels, unit=(1.0,))
    estimator = Regression(cells)
    for k, weight in enumerate(weights):
        mine = rows.stratum == k
        scores = rows.responses[mine]
        columns = torch.cat([torch.zeros_like(scores), rows.masks[mine], scores, scores**2], 1)
        item = Observed(weight, 0.5, columns, fill=k, n_rows=len(columns))
        item.means, item.squares, item.mean_variances = [0.0], [1.0], [0.0]
        estimator.strata.append(item)
    estimator.n_masks = 2 * N
    _, response, scale = estimator.observations.scores(estimator.observations.rows(), cells.groups)
    estimator._prior = Hyperparameters(
        torch.tensor([0.3, 0.2], dtype=torch.float64), torch.tensor([0.1, 0.4], dtype=torch.float64), sharing=SHARING
    )
    shares = torch.tensor(weights).double() / sum(weights)
    mean = torch.kron(shares[None], torch.eye(P).double())  # of both fills' coefficients
    coefficients, design, covariance = joint(rows)
    gain = mean @ coefficients @ design.T @ torch.linalg.inv(covariance)
    found = estimator.posterior()
    torch.testing.assert_close(found.effects, scale * (gain @ response) / 2)
    left = (
        mean @ (coefficients - coefficients @ design.T @ torch.linalg.inv(covariance) @ design @ coefficients) @ mean.T
    )
    torch.testing.assert_close(found.variances, scale**2 * left.diagonal() / 4)
    for k in (0, 1):
        own = (coefficients @ design.T @ torch.linalg.inv(covariance) @ response)[k * P : (k + 1) * P]
        torch.testing.assert_close(estimator.coefficients(k), scale * own)


def test_gains_and_what_fills_share_are_found():
    generator = torch.Generator().manual_seed(1)
    n_cells, n = 60, 400
    common, *own = torch.randn(3, n_cells, generator=generator).double()
    masks = (torch.rand(2 * n, n_cells, generator=generator) < 0.5).double() - 0.5
    stratum = torch.tensor([0] * n + [1] * n)
    effects = torch.stack([common + 0.5 * own[0], 2 * (common + 0.5 * own[1])])
    response = (masks * effects[stratum]).sum(1) + 0.1 * torch.randn(2 * n, generator=generator).double()
    rows = Rows(
        torch.zeros(2 * n, 0), masks, response[:, None], stratum, torch.tensor([n, n]), fills=torch.tensor([0, 1])
    )
    found = fitted(rows, response, (masks @ masks.T)[None])
    assert float(found.sharing.gains[1]) == pytest.approx(float(effects[1].norm() / effects[0].norm()), rel=0.1)
    assert found.sharing.correlation == pytest.approx(float(torch.corrcoef(effects)[0, 1]), abs=0.05)


def test_the_map_is_that_of_the_mean_over_fills():
    """Of a linear score: effects under each fill are known, and neither fill counts for more where it is less noisy."""
    x = torch.rand(3, 14, 14, generator=torch.Generator().manual_seed(2))
    weight = torch.randn(1, 3 * 14 * 14, generator=torch.Generator().manual_seed(3))
    linear = nn.Linear(3 * 14 * 14, 1, bias=False)
    linear.weight.data = weight
    encoder = relax.Encoder(nn.Sequential(nn.Flatten(), linear))
    masks = relax.masks.create("patches", patch=2)
    options = {"masks": masks, "similarity": "dot", "precision": "float32", "n_masks": 2048}
    reference = encoder.encode(x[None])[0]
    both = relax.explain(encoder, x, fill=["zero", "blur"], **options)
    zero = relax.explain(encoder, x, fill="zero", **options)
    blur = relax.explain(encoder, x, fill="blur", **options)
    expected = (zero.effect + blur.effect) / 2
    assert np.corrcoef(zero.effect.ravel(), blur.effect.ravel())[0, 1] < 0.95  # the fills ask different questions
    np.testing.assert_allclose(both.effect, expected, atol=0.03 * np.abs(expected).max())
    exact = ((weight * x.flatten()).view(3, 7, 2, 7, 2).sum((0, 2, 4)) * reference).numpy() / 2
    np.testing.assert_allclose(zero.effect[::2, ::2], exact, atol=0.03 * np.abs(exact).max())


def test_a_fill_that_comes_late_is_fitted_however_many_masks_there_are(monkeypatch):
    monkeypatch.setattr("relax.estimation.regression.LARGEST_FIT", 8)
    encoder = relax.Encoder(nn.Sequential(nn.AvgPool2d(7), nn.Flatten()))
    x = torch.rand(3, 28, 28, generator=torch.Generator().manual_seed(5))
    e = relax.explain(encoder, x, fill=["zero", "blur", "mean"], n_masks=192)
    several = [step.reliability for step in relax.Explainer(encoder, fill=["zero", "blur"], n_masks=128).progressive(x)]
    assert np.isfinite([e.reliability, *several]).all()


def test_few_masks_do_not_put_the_noise_at_zero():
    """16 masks of pure noise on 30 cells can be explained without noise; the prior keeps some."""
    generator = torch.Generator().manual_seed(4)
    lowest = []
    for _ in range(20):
        masks = (torch.rand(16, 30, generator=generator) < 0.5).double() - 0.5
        response = torch.randn(16, generator=generator).double()
        rows = Rows(torch.zeros(16, 0), masks, response[:, None], torch.zeros(16).long(), torch.tensor([16]))
        lowest.append(float(fitted(rows, response, (masks @ masks.T)[None]).noise[0]))
    assert min(lowest) > 100 * NOISE.least
    assert 0.3 < np.median(lowest) < 1.2


def test_layout_has_a_place_for_each():
    found = Layout(2, 3, n_gains=1, n_fills=2).unpacked(np.log(np.arange(1.0, 9.0)))
    np.testing.assert_allclose(found.weights, [1, 2])
    np.testing.assert_allclose(found.noise, [3, 4, 5])
    np.testing.assert_allclose(found.gains, [6])
    np.testing.assert_allclose(found.sharing.gains, [1, 7])
    assert found.sharing.own == pytest.approx(8)
