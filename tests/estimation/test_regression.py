"""RELAX by regression: against brute force, closed forms and finite differences."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import torch
from torch import nn

import relax
from relax.estimation.gaussian import Marginal, Rows, fitted
from relax.estimation.hyperparameters import Hyperparameters
from relax.estimation.observed import Observed
from relax.estimation.regression import Regression, _grams
from relax.modalities.cells import Cells, plain_cells
from relax.modalities.image.cells import image_cells

N, P = 40, 9


@pytest.fixture
def rows():
    """Random masks of two strata with a level each."""
    generator = torch.Generator().manual_seed(0)
    stratum = torch.tensor([0] * 25 + [1] * 15)
    masks = (torch.rand(N, P, generator=generator) < 0.5).double() - 0.5
    response = masks @ torch.linspace(-1, 1, P).double() + stratum + 0.3 * torch.randn(N, generator=generator).double()
    levels = nn.functional.one_hot(stratum, 2).double()
    return Rows(levels, masks, response[:, None], stratum, torch.tensor([25, 15]))


KERNELS = torch.stack([torch.eye(P), torch.ones(P, P)]).double()


def grams(rows):
    return rows.masks @ KERNELS @ rows.masks.T


def test_likelihood_is_that_of_the_contrasts(rows):
    """REML is the density of any full set of contrasts of the response that are free of the levels."""
    at = np.log([0.3, 0.2, 0.1, 0.4])
    contrasts = torch.linalg.svd(rows.levels).U[:, 2:]
    covariance = 0.3 * grams(rows)[0] + 0.2 * grams(rows)[1] + torch.diag(torch.tensor([0.1, 0.4])[rows.stratum])
    density = torch.distributions.MultivariateNormal(
        torch.zeros(N - 2).double(), contrasts.T @ covariance.double() @ contrasts
    )
    other = np.log([1.0, 0.5, 0.2, 0.2])
    covariance_2 = 1.0 * grams(rows)[0] + 0.5 * grams(rows)[1] + 0.2 * torch.eye(N).double()
    density_2 = torch.distributions.MultivariateNormal(
        torch.zeros(N - 2).double(), contrasts.T @ covariance_2 @ contrasts
    )
    y = rows.responses[:, 0]
    marginal = Marginal(rows, y, grams(rows))
    expected = density.log_prob(contrasts.T @ y) - density_2.log_prob(contrasts.T @ y)
    assert marginal.value(other)[0] - marginal.value(at)[0] == pytest.approx(float(expected), rel=1e-5)


def test_gradient_of_the_likelihood_is_its_derivative(rows):
    marginal = Marginal(rows, rows.responses[:, 0], grams(rows))
    at = np.log([0.3, 0.2, 0.1, 0.4])
    numeric = [(marginal.value(at + step)[0] - marginal.value(at - step)[0]) / 2e-5 for step in 1e-5 * np.eye(len(at))]
    np.testing.assert_allclose(marginal.value(at)[1], numeric, rtol=1e-5)


def test_weights_and_noise_are_found():
    generator = torch.Generator().manual_seed(1)
    masks = (torch.rand(600, 30, generator=generator) < 0.5).double() - 0.5
    effects = 0.5 * torch.randn(30, generator=generator).double()
    response = masks @ effects + 0.2 * torch.randn(600, generator=generator).double()
    rows = Rows(torch.zeros(600, 0), masks, response[:, None], torch.zeros(600).long(), torch.tensor([600]))
    found = fitted(rows, response, (masks @ masks.T)[None])
    assert float(found.weights[0]) == pytest.approx(0.25, rel=0.4)
    assert float(found.noise[0]) == pytest.approx(0.04, rel=0.2)


def regression_of(cells, blocks):
    estimator = Regression(cells)
    for shares, scores in blocks:
        if not estimator.strata:
            estimator.strata.append(Observed(1.0, 0.5, torch.zeros(0, shares.shape[1] + 3).double()))
        estimator.strata[0].add(shares, scores)
        estimator.n_masks += len(shares)
    return estimator


def test_posterior_is_that_of_the_other_formula():
    """In the space of cells instead of masks: (XᵀX/σ² + K⁻¹)⁻¹ Xᵀy/σ², with the level as one more coefficient."""
    generator = torch.Generator().manual_seed(2)
    shares = (torch.rand(60, 8, generator=generator) < 0.5).double() - 0.5
    scores = 1 + shares @ torch.arange(8).double() + torch.randn(60, generator=generator).double()
    estimator = regression_of(plain_cells((8,)), [(shares, scores)])
    scale = scores.std(correction=0)
    estimator._prior = Hyperparameters(torch.tensor([2.0]).double(), torch.tensor([0.1]).double())
    found = estimator.posterior()
    x = torch.cat([shares, torch.ones(60, 1)], 1).double()
    precision = x.T @ x / (0.1 * scale**2) + torch.diag(torch.tensor([1 / (2.0 * scale**2)] * 8 + [0.0]))
    covariance = torch.linalg.inv(precision)
    expected = covariance @ x.T @ scores / (0.1 * scale**2)
    torch.testing.assert_close(found.effects, expected[:8] / 2)
    torch.testing.assert_close(found.variances, covariance[:8, :8].diagonal() / 4)
    assert found.common == pytest.approx(float(covariance[:8, :8].mean()) / 4)


def test_compressed_rows_have_the_same_posterior():
    generator = torch.Generator().manual_seed(3)
    blocks = []
    for _ in range(6):
        half = (torch.rand(16, 8, generator=generator) < 0.5).double() - 0.5
        shares = torch.cat([half, -half])
        blocks.append((shares, (shares @ torch.arange(8).double()).tanh()))
    prior = Hyperparameters(torch.tensor([1.0]).double(), torch.tensor([0.1]).double())
    compressed = regression_of(plain_cells((8,)), blocks)
    assert len(compressed.strata[0].columns) < 96 == compressed.strata[0].n_rows
    whole = regression_of(plain_cells((8,)), [(torch.cat(s), torch.cat(y)) for s, y in [zip(*blocks, strict=True)]])
    whole.strata[0].columns = torch.cat([_pairs(*block) for block in blocks])
    whole.strata[0].n_rows = 96
    compressed._prior = whole._prior = prior
    torch.testing.assert_close(compressed.posterior().effects, whole.posterior().effects)
    torch.testing.assert_close(compressed.posterior().variances, whole.posterior().variances)
    assert compressed.posterior().common == pytest.approx(whole.posterior().common)
    rows, plain = compressed.observations.rows(), whole.observations.rows()
    gram, plain_gram = (
        _grams(item, torch.stack([kernel.after(item.masks) for kernel in compressed.cells.kernels]))
        for item in (rows, plain)
    )
    at, other = np.log([1.0, 0.1]), np.log([0.3, 0.5])
    differences = [
        Marginal(r, r.responses[:, 0], g).value(at)[0] - Marginal(r, r.responses[:, 0], g).value(other)[0]
        for r, g in ((rows, gram), (plain, plain_gram))
    ]
    assert differences[0] == pytest.approx(differences[1], rel=1e-9)


def _pairs(shares, scores):
    stratum = Observed(1.0, 0.5, torch.zeros(0, shares.shape[1] + 3).double())
    stratum.add(shares, scores)
    return stratum.columns


def banzhaf(score, n):
    """Mean over all masks of the others of what adding a unit changes."""
    values = np.zeros(n)
    for bits in itertools.product((0.0, 1.0), repeat=n):
        for unit in range(n):
            if not bits[unit]:
                with_unit = tuple(1.0 if i == unit else bit for i, bit in enumerate(bits))
                values[unit] += (score(with_unit) - score(bits)) / 2 ** (n - 1)
    return values


@pytest.fixture(scope="module")
def saturating():
    """An input, an encoder of it, and the score of a mask of its six columns."""
    x = torch.tensor([0.5, -1.0, 2.0, 0.3, -0.7, 1.2])
    weights = torch.randn(4, 6, generator=torch.Generator().manual_seed(4))
    own = torch.tanh(weights @ x)

    def score(bits):
        return float(torch.cosine_similarity(torch.tanh(weights @ (x * torch.tensor(bits))), own, 0))

    return x, relax.Encoder(lambda batch: torch.tanh(batch @ weights.T), modality="vector"), score


@pytest.mark.parametrize("design", ["foldover", "independent"])
def test_effects_converge_to_half_the_banzhaf_values(saturating, design):
    x, encoder, score = saturating
    e = relax.explain(encoder, x, fill="zero", n_masks=6000, design=design)
    assert e.settings["method"] == "relax-regression"
    expected = banzhaf(score, 6) / 2
    np.testing.assert_allclose(e.effect, expected, atol=0.02)
    assert (np.abs(e.effect - expected) <= 4 * e.standard_error).all()
    assert e.neutral == pytest.approx(
        np.mean([score(bits) for bits in itertools.product((0.0, 1.0), repeat=6)]), abs=0.02
    )


def test_with_masks_of_all_sizes_effects_converge_to_half_the_least_square_values(saturating):
    """Weighted least squares over all masks, each size as likely as any other."""
    x, encoder, score = saturating
    masks = [bits for bits in itertools.product((0.0, 1.0), repeat=6) if 0 < sum(bits) < 6]
    root = np.sqrt([1 / math.comb(6, int(sum(bits))) for bits in masks])
    columns = np.column_stack([np.ones(len(masks)), np.array(masks) - 0.5])
    scores = np.array([score(bits) for bits in masks])
    level, *coefficients = np.linalg.lstsq(columns * root[:, None], scores * root, rcond=None)[0]
    expected = np.array(coefficients) / 2

    e = relax.explain(encoder, x, fill="zero", n_masks=6000, design="all-sizes")
    np.testing.assert_allclose(e.effect, expected, atol=0.01)
    assert (np.abs(e.effect - expected) <= 4 * e.standard_error).all()
    assert np.abs(expected - banzhaf(score, 6) / 2).max() > 0.02  # which are others
    assert e.neutral == pytest.approx(level, abs=0.02)


@pytest.mark.parametrize("method", ["relax", "relax-crossfit", "sobol"])
def test_masks_of_all_sizes_are_for_regressions(tiny, method):
    with pytest.raises(relax.ArgumentError, match=f"method '{method}' is not one; use method='relax-regression'"):
        relax.Explainer(tiny, method=method, design="all-sizes")


def test_what_observes_masks_refuses_those_of_all_sizes(tiny, image):
    with pytest.raises(relax.ArgumentError, match="regions and shares need masks that keep units independently"):
        relax.match(tiny, image, image.flip(1), regions=True, n_masks=256, design="all-sizes")


def test_a_linear_score_is_found_from_few_masks():
    """With s = ⟨x, x̃⟩ the effect of a column is x² / 2, exactly, from 128 masks of 49 columns."""
    x = torch.randn(49, generator=torch.Generator().manual_seed(5))
    encoder = relax.Encoder(nn.Identity(), modality="vector")
    e = relax.explain(encoder, x, fill="zero", similarity="dot", n_masks=128)
    np.testing.assert_allclose(e.effect, x.square() / 2, atol=0.01)
    assert e.reliability > 0.999


def test_importance_stays_in_the_range_of_the_similarity(tiny, image):
    e = relax.explain(tiny, image)
    assert e.settings["method"] == "relax-regression"
    assert -1 <= e.importance.min() <= e.importance.max() <= 1
    assert (e.uncertainty >= 0).all()
    assert (e.standard_error > 0).all()


def test_adaptive_runs_end(tiny, image):
    e = relax.explain(tiny, image)
    assert e.n_masks <= 512
    assert e.reliability >= 0.95 or e.n_masks == 512


@pytest.mark.parametrize(("cells", "side"), [(28, 4), (9, 3), (5, 1), (3, 3)])
def test_a_cell_speaks_of_the_units_that_contain_it_on_average_over_their_places(cells, side):
    grid = Cells((cells,), (cells,), {"independent": torch.eye(cells).double()}, unit=(side,))
    effects = torch.randn(cells, generator=torch.Generator().manual_seed(0)).double()
    for cell, found in enumerate(grid.over_units(effects[None])[0]):
        starts = (min(max(start, 0), cells - side) for start in range(cell - side + 1, cell + 1))
        expected = np.mean([float(effects[start : start + side].sum()) for start in starts])
        assert float(found) == pytest.approx(expected, abs=1e-12)


def test_units_are_of_one_size():
    cells = image_cells(torch.rand(3, 64, 96))
    around = cells.over_units(torch.eye(784).double()).T
    assert around.shape == (784, 784)
    assert around.min() >= 0
    assert around.max() <= 1
    torch.testing.assert_close(around.sum(1), torch.full((784,), 16.0).double())


@pytest.mark.parametrize("size", [(28, 28), (64, 96), (224, 224), (30, 31)])
def test_shares_are_means_over_cells(size):
    cells = image_cells(torch.rand(3, *size))
    mask = torch.rand(2, *size)
    assert cells.shares(mask).mean(1).numpy() == pytest.approx(mask.flatten(1).mean(1).numpy(), rel=1e-5)
    if size[0] % 28 == 0 and size[1] % 28 == 0:
        pooled = nn.functional.adaptive_avg_pool2d(mask[:, None], 28).flatten(1).double()
        torch.testing.assert_close(cells.shares(mask), pooled, atol=1e-6, rtol=1e-5)
    flat = cells.to_map(torch.full((cells.n_cells,), 2.5).double())
    torch.testing.assert_close(flat, torch.full(size, 2.5).double())


@pytest.mark.parametrize("shape", [(6,), (5000,), (40, 60), (3, 4, 5), (20, 30, 40)])
def test_plain_cells_cover_maps_of_any_shape(shape):
    cells = plain_cells(shape)
    assert cells.n_cells <= 784
    assert torch.linalg.eigvalsh(sum(kernel.matrix for kernel in cells.kernels)).min() > 0
    assert cells.to_map(torch.ones(cells.n_cells).double()).shape == shape
    assert cells.shares(torch.ones(1, *shape)).numpy() == pytest.approx(1.0)


def test_a_fill_that_changes_nothing_is_left_out(tiny):
    """A flat picture is its own blur; the mean colour alone is used."""
    flat = torch.ones(3, 28, 28)
    e = relax.explain(tiny, flat, fill=["blur", "zero"], n_masks=128)
    only = relax.explain(tiny, flat, fill="zero", n_masks=128)
    assert np.corrcoef(e.importance.ravel(), only.importance.ravel())[0, 1] > 0.8


def test_fixed_units_are_spoken_of_as_wholes(tiny, image):
    """Quadrants: over all 16 masks by hand."""
    masks = relax.PatchMasks(14)
    own = tiny(image[None]).detach()
    bits = torch.tensor(list(itertools.product((0.0, 1.0), repeat=4)))
    units = masks.over(image)
    shown = units.masks(relax.masks.Block(bits, units.middle()))
    scores = torch.cosine_similarity(tiny(image * shown[:, None]).detach(), own).double()
    expected = torch.stack([scores[bits[:, unit] > 0].mean() for unit in range(4)])
    e = relax.explain(tiny, image, masks=masks, fill="zero", n_masks=2000)
    assert len(np.unique(e.importance)) == 4
    found = torch.tensor([e.importance[y, x] for y in (0, 20) for x in (0, 20)])
    np.testing.assert_allclose(found, expected, atol=0.01)


@pytest.mark.parametrize("keep", [0.3, 0.8])
def test_other_keep_probabilities_have_a_closed_form(keep):
    """With s = Σ x M: E[s | shown] = q Σ x + (1 − q) x, and Var(s | shown) = q (1 − q) Σ_others x²."""
    x = torch.tensor([1.0, 2.0, 3.0, 4.0, 5.0])
    encoder = relax.Encoder(lambda batch: batch.sum(1, keepdim=True), modality="vector")
    masks = relax.ColumnMasks(keep=keep)
    e = relax.explain(
        encoder, x, masks=masks, design="independent", fill="zero", similarity="dot", n_masks=4096, seed=1
    )
    expected = 15 * (keep * 15 + (1 - keep) * x)
    assert (np.abs(e.importance - expected.numpy()) <= 4 * e.standard_error + 1e-3).all()
    spread = 225 * keep * (1 - keep) * (x.square().sum() - x.square())
    np.testing.assert_allclose(e.uncertainty, spread, rtol=0.15)


@pytest.mark.parametrize("factor", [1e-7, 1e5])
def test_maps_scale_with_the_score(image, factor):
    plain, scaled = (
        relax.explain(lambda batch, k=k: k * batch.mean((2, 3)), image, similarity="dot", n_masks=128)
        for k in (1.0, factor)
    )
    np.testing.assert_allclose(scaled.effect / factor**2, plain.effect, atol=0.05 * np.abs(plain.effect).max())
    assert scaled.reliability == pytest.approx(plain.reliability, abs=0.02)


def test_short_runs_try_every_fill(tiny, image):
    two = relax.explain(tiny, image, n_masks=64)
    one = relax.explain(tiny, image, n_masks=64, fill="blur")
    assert two.n_masks == one.n_masks == 64
    assert not np.allclose(two.importance, one.importance)
    assert relax.explain(tiny, image, n_masks=10).n_masks <= 16


def test_the_prior_does_not_depend_on_how_the_masks_came(tiny, image):
    """A fit after every block and a fit at the end give one prior: none starts from the last."""
    cells = image_cells(image)
    units = relax.GridMasks(7).over(image)
    design = relax.designs.FoldOver(64)
    own = tiny(image[None]).detach()
    estimator, at_once = Regression(cells), Regression(cells)
    for index in range(4):
        block = design.block(index, units, 0.5, 0)
        masks = units.masks(block)
        scores = torch.cosine_similarity(tiny(image * masks[:, None]).detach(), own).double()
        for each in (estimator, at_once):
            if not each.strata:
                each.strata.append(Observed(1.0, 0.5, torch.zeros(0, cells.n_cells + 3).double()))
            each.strata[0].add(cells.shares(masks) - 0.5, scores)
            each.n_masks += len(masks)
        estimator._fit()
        estimator._latest_prior()
    at_once._fit()
    torch.testing.assert_close(estimator._latest_prior().weights, at_once._latest_prior().weights)
    torch.testing.assert_close(estimator.posterior().effects, at_once.posterior().effects)


@pytest.mark.parametrize("method", ["relax-regression", "relax-crossfit"])
@pytest.mark.parametrize(("asked", "used"), [(50, (52, 56)), (66, (68, 72)), (100, (100, 104))])
def test_a_run_with_the_masks_that_another_used_has_the_same_maps(tiny, image, method, asked, used):
    """Numbers that strata cannot share equally are rounded up to a pair of each, not to one more block of one."""
    e = relax.explain(tiny, image, method=method, n_masks=asked)
    again = relax.explain(tiny, torch.from_numpy(e.input), **e.arguments())
    assert e.n_masks == again.n_masks == used[method == "relax-crossfit"]
    np.testing.assert_allclose(again.importance, e.importance, atol=1e-5)
