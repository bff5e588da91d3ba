"""Gradients as observations of effects: against closed forms, finite differences and brute force."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from skimage import data
from torch import nn

import relax
from relax.estimation.gaussian import Marginal, Rows, fitted, projected
from relax.estimation.observed import Slopes
from relax.modalities.cells import UnitCells, plain_cells
from relax.modalities.image.cells import image_cells
from relax.modalities.units import Block

P = 6
GENERATOR = torch.Generator().manual_seed(0)
MASKS = (torch.rand(20, P, generator=GENERATOR) < 0.5).double() - 0.5
EFFECTS = torch.linspace(-1, 1, P).double()
KERNELS = torch.stack([torch.eye(P), torch.ones(P, P)]).double()
GROUPS = torch.eye(P // 2).repeat_interleave(2, 1).double()


@pytest.fixture
def observed():
    """Masks without a level, and slopes of three groups of two cells with different noise."""
    response = MASKS @ EFFECTS + 0.1 * torch.randn(20, generator=GENERATOR).double()
    rows = Rows(torch.zeros(20, 0), MASKS, response[:, None], torch.zeros(20).long(), torch.tensor([20]))
    rows = rows.beside(GROUPS, torch.tensor([0.5, 1.0, 1.5]).double())
    return rows, torch.cat([response, 0.7 * GROUPS @ EFFECTS])


def test_likelihood_is_that_of_a_normal_distribution(observed):
    rows, response = observed
    gain = 0.7
    scaled = torch.cat([MASKS, gain * GROUPS])
    covariance = scaled @ (0.3 * KERNELS[0] + 0.2 * KERNELS[1]) @ scaled.T
    covariance += torch.diag(torch.tensor([0.1] * 20 + [0.2, 0.4, 0.6], dtype=torch.float64))
    density = torch.distributions.MultivariateNormal(torch.zeros(23).double(), covariance).log_prob(response)
    marginal = Marginal(rows, response, rows.masks @ KERNELS @ rows.masks.T)
    value, _ = marginal.value(np.log([0.3, 0.2, 0.1, 0.4, gain]))
    assert value == pytest.approx(-float(density) - 23 / 2 * np.log(2 * np.pi), rel=1e-9)


def test_gradient_of_the_likelihood_is_its_derivative(observed):
    rows, response = observed
    marginal = Marginal(rows, response, rows.masks @ KERNELS @ rows.masks.T)
    at = np.log([0.3, 0.2, 0.1, 0.4, 0.7])
    numeric = [(marginal.value(at + step)[0] - marginal.value(at - step)[0]) / 2e-5 for step in 1e-5 * np.eye(len(at))]
    np.testing.assert_allclose(marginal.value(at)[1], numeric, rtol=1e-5)


def test_gain_and_noise_of_slopes_are_found():
    generator = torch.Generator().manual_seed(1)
    effects = torch.randn(60, generator=generator).double()
    masks = (torch.rand(200, 60, generator=generator) < 0.5).double() - 0.5
    response = masks @ effects + 0.1 * torch.randn(200, generator=generator).double()
    rows = Rows(torch.zeros(200, 0), masks, response[:, None], torch.zeros(200).long(), torch.tensor([200]))
    rows = rows.beside(torch.eye(60).double(), torch.ones(60).double())
    slopes = 3 * effects + 0.5 * torch.randn(60, generator=generator).double()
    found = fitted(rows, torch.cat([response, slopes]), (rows.masks @ rows.masks.T)[None])
    assert float(found.gains[0]) == pytest.approx(3, rel=0.1)
    assert float(found.noise[1]) == pytest.approx(0.25, rel=0.5)


def test_rows_of_slopes_have_their_own_noise(observed):
    rows, _ = observed
    gram = torch.zeros(23, 23).double()
    precision, _ = projected(rows, gram, rows.noise(torch.tensor([0.1, 0.4]).double()))
    np.testing.assert_allclose(precision.diagonal()[-3:], 1 / (0.4 * np.array([0.5, 1.0, 1.5])))


@pytest.mark.parametrize("cells", [image_cells(torch.rand(3, 56, 84)), plain_cells((7,)), plain_cells((3000,))])
def test_slopes_are_derivatives_in_the_kept_share(cells):
    """Of a quadratic score, by moving the mask of one group of cells at a time."""
    generator = torch.Generator().manual_seed(2)
    weights, mask = torch.rand(2, *cells.shape, generator=generator).double()
    derivative = 2 * weights * mask
    found = cells.slopes(None, None, derivative[None])[0]
    assert len(cells.groups) <= 196
    assert cells.groups.sum(0).eq(1).all()  # every cell is in one group
    for number in (0, len(cells.groups) - 1):
        bump = cells.to_map(cells.groups[number]) if not getattr(cells, "smooth", False) else None
        if bump is None:  # the elements of the group's cells, without interpolation
            inside = cells.groups[number].view(cells.grid)
            bump = inside.repeat_interleave(cells.shape[0] // cells.grid[0], 0)
            bump = bump.repeat_interleave(cells.shape[1] // cells.grid[1], 1)
        step = 1e-6
        rise = (weights * (mask + step * bump).square()).sum() - (weights * (mask - step * bump).square()).sum()
        assert float(found[number]) == pytest.approx(float(rise) / (2 * step), rel=1e-6)


def test_slopes_of_fixed_units_are_derivatives_in_their_bits():
    units = relax.PatchMasks(7).over(torch.rand(3, 28, 28))
    bits = torch.tensor([[1.0] * 8 + [0.0] * 8])
    block = Block(bits, units.middle())
    derivative = torch.rand(1, 28, 28)
    found = UnitCells(units).slopes(units, block, derivative)
    expected = derivative[0].view(4, 7, 4, 7).sum((1, 3)).flatten()
    torch.testing.assert_close(found[0], expected.double(), rtol=1e-5, atol=1e-6)


def test_mean_and_spread_of_slopes():
    slopes = torch.randn(40, 5, generator=torch.Generator().manual_seed(3)).double() * torch.arange(5)
    kept = Slopes()
    kept.add(slopes[:30])
    kept.add(slopes[30:])
    torch.testing.assert_close(kept.mean, slopes.mean(0))
    variance = slopes.var(0, correction=0)
    torch.testing.assert_close(kept.spread, 0.5 + 0.5 * variance / variance.mean())


def test_a_linear_score_is_found_from_few_masks():
    """With s = ⟨x, x̃⟩ every slope is exactly the effect: 8 masks of 49 columns are enough, 8 forwards are not."""
    x = torch.randn(49, generator=torch.Generator().manual_seed(5))
    encoder = relax.Encoder(nn.Identity(), modality="vector")
    asked = {"fill": "zero", "similarity": "dot", "n_masks": 8}
    e = relax.explain(encoder, x, method="relax-gradient", **asked)
    np.testing.assert_allclose(e.effect, x.square() / 2, atol=0.02)
    assert e.settings["cost"]["forwards"] == 9
    assert e.settings["cost"]["backwards"] == 8
    blind = relax.explain(encoder, x, method="relax-regression", **asked)
    assert np.corrcoef(blind.effect, x.square())[0, 1] < 0.9


def test_slopes_are_worth_masks():
    """On a trained encoder, 16 masks with slopes come closer to the converged map than 64 without."""
    encoder = relax.load_encoder("fashion:simclr")
    picture = data.chelsea()[:300, 60:360]
    converged = relax.explain(encoder, picture, n_masks=1024).importance
    agreement = {"relax-gradient": [], "relax-regression": []}
    for seed in range(4):
        for method, n_masks in (("relax-gradient", 16), ("relax-regression", 64)):
            e = relax.explain(encoder, picture, method=method, n_masks=n_masks, seed=seed)
            agreement[method].append(np.corrcoef(e.importance.ravel(), converged.ravel())[0, 1])
    assert np.mean(agreement["relax-gradient"]) > np.mean(agreement["relax-regression"])


def test_useless_slopes_do_no_harm(image):
    """Slopes that are noise, unlike the effects: the likelihood ignores them."""

    class Astray(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x

        @staticmethod
        def backward(ctx, gradient):
            noise = torch.Generator().manual_seed(6)
            return gradient.abs().mean() * torch.randn(gradient.shape, generator=noise)

    pooled = nn.Sequential(nn.AdaptiveAvgPool2d(4), nn.Flatten())
    encoder = relax.Encoder(lambda x: pooled(Astray.apply(x)))
    plain = relax.explain(encoder, image, n_masks=256, fill="zero")
    e = relax.explain(encoder, image, method="relax-gradient", n_masks=256, fill="zero")
    converged = relax.explain(encoder, image, n_masks=1024, fill="zero").importance
    agreement = [np.corrcoef(found.importance.ravel(), converged.ravel())[0, 1] for found in (plain, e)]
    assert agreement[1] > agreement[0] - 0.05


def test_encoders_and_fills_without_gradients_are_refused(image):
    with pytest.raises(relax.ArgumentError, match="gives no gradients; use method='relax-regression'"):
        relax.explain(lambda x: x.mean((2, 3)).detach().numpy(), image, method="relax-gradient")
    with pytest.raises(relax.ArgumentError, match="gradients of zero; use method='relax-regression'"):
        relax.explain(lambda x: x.round().sum((2, 3)), image, method="relax-gradient")
    with pytest.raises(relax.EncoderError, match="NaN or infinite gradients"):
        relax.explain(lambda x: (x.mean((2, 3)) - x.mean((2, 3)).detach()).abs().sqrt() + x.mean((2, 3)).detach(),
                      image, method="relax-gradient")  # fmt: skip


def test_slopes_are_those_of_the_reference():
    """With s = ⟨y, x̃⟩ the effect of a column is x y / 2; a list equals single calls."""
    x, y = torch.randn(2, 49, generator=torch.Generator().manual_seed(7))
    encoder = relax.Encoder(nn.Identity(), modality="vector")
    asked = {"fill": "zero", "similarity": "dot", "n_masks": 8, "method": "relax-gradient"}
    e = relax.explain(encoder, x, against=y, **asked)
    np.testing.assert_allclose(e.effect, x * y / 2, atol=0.02 * float((x * y).abs().max()))
    for listed, one in zip(relax.explain(encoder, [x, y], **asked), (x, y), strict=True):
        np.testing.assert_allclose(listed.effect, one.square() / 2, atol=0.02 * float(one.square().max()))


def test_short_runs_progress_and_budgets(tiny, image):
    from relax.methods.regression import RelaxGradient

    method, asked = RelaxGradient().within(forwards=160, n_units=49)
    assert asked == {"n_masks": 53}
    steps = list(relax.Explainer(tiny, method=method, fill="zero").progressive(image))
    assert [step.n_masks for step in steps] == list(range(12, 12 * len(steps) + 1, 12))
    whole = relax.explain(tiny, image, method="relax-gradient", fill="zero")
    np.testing.assert_allclose(steps[-1].importance, whole.importance, atol=1e-6)


def test_looking_on_does_not_change_the_map(tiny, image):
    """The prior is fitted to the slopes of the masks that it is due after, however late it is asked for."""
    asked = {"method": "relax-gradient", "n_masks": 72}
    silent = relax.explain(tiny, image, **asked)
    *_, watched = relax.Explainer(tiny, **asked).progressive(image)
    np.testing.assert_allclose(watched.importance, silent.importance, atol=1e-3 * np.ptp(silent.importance))
    assert watched.reliability == pytest.approx(silent.reliability, abs=1e-5)
