"""Games of units, sensitivities and repeats: enumeration, known functions, hand-worked cases."""

from itertools import permutations, product
from math import factorial

import numpy as np
import pytest
import torch
from torch import nn

import relax
from conftest import problem_of
from relax.estimation.designs import DESIGNS
from relax.methods.repeat import _BootstrappedRelax, weighted_probability
from relax.methods.sensitivity import hsic_of_bits
from relax.methods.units import shapley_values
from relax.modalities.masks import Block

MASKS = relax.PatchMasks(14)  # four units on 28 pixels


def game(tiny, image, masks=MASKS):
    """The score of every coalition, by enumeration."""
    encoder = relax.Encoder(tiny)
    units = masks.over(image)
    coalitions = torch.tensor(list(product((0.0, 1.0), repeat=units.n_units)))
    kept = units.masks(Block(coalitions, units.middle()))
    own = encoder.encode(image[None])
    scores = torch.cosine_similarity(encoder.encode(kept[:, None] * image), own)
    return units, {tuple(map(int, c)): float(s) for c, s in zip(coalitions, scores, strict=True)}


def exact_shapley(scores, n):
    values = np.zeros(n)
    for order in permutations(range(n)):
        coalition = [0] * n
        for player in order:
            before = scores[tuple(coalition)]
            coalition[player] = 1
            values[player] += (scores[tuple(coalition)] - before) / factorial(n)
    return values


def of_units(e, side=14):
    return e.importance[side // 2 :: side, side // 2 :: side].ravel()


def test_kernel_shap_of_few_units_tries_every_coalition_once(tiny, image):
    units, scores = game(tiny, image)
    e = relax.explain(tiny, image, method="kernel-shap", masks=MASKS)
    assert e.n_masks == 16
    np.testing.assert_allclose(of_units(e), exact_shapley(scores, units.n_units), atol=1e-5)
    assert not e.standard_error.any()


def test_kernel_shap_of_more_units_is_close_to_enumeration(tiny, image):
    pytest.importorskip("captum")
    image, masks = image[:, :27, :27], relax.PatchMasks(9)  # nine units: 512 coalitions
    _, scores = game(tiny, image, masks)
    exact = shapley_values(torch.tensor(list(scores.values()), dtype=torch.float64)).numpy()
    e = relax.explain(tiny, image, method="kernel-shap", masks=masks, n_samples=511)
    assert e.n_masks == 511
    assert np.corrcoef(e.importance[4::9, 4::9].ravel(), exact)[0, 1] > 0.97


@pytest.mark.parametrize(
    ("method", "options"), [("kernel-shap", {"n_samples": 2000}), ("shapley-sampling", {"n_samples": 400})]
)
def test_shapley_values_are_those_of_enumeration(tiny, image, method, options):
    pytest.importorskip("captum")
    units, scores = game(tiny, image)
    e = relax.explain(tiny, image, method=method, masks=MASKS, **options)
    expected = exact_shapley(scores, units.n_units)
    np.testing.assert_allclose(of_units(e), expected, atol=0.02 * np.abs(expected).max() + 1e-3)
    total = scores[(1,) * 4] - scores[(0,) * 4]
    np.testing.assert_allclose(of_units(e).sum(), total, atol=1e-3)  # efficient
    assert e.signed


def test_lime_is_a_linear_model_of_the_units(image):
    pytest.importorskip("captum")
    weights = torch.tensor([3.0, 0.0, -2.0, 1.0])

    def linear(x):
        parts = nn.functional.avg_pool2d(x.mean(1, keepdim=True), 14).flatten(1)
        return torch.cat([parts * weights, torch.ones(len(x), 1)], 1)

    x = torch.ones(3, 28, 28)
    e = relax.explain(
        linear, x, method="lime", masks=MASKS, fill="zero", similarity=lambda a, b: a[:, :4].sum(1), n_samples=500
    )
    np.testing.assert_allclose(of_units(e), weights, atol=0.05)


def test_occlusion_is_captums(tiny, image):
    attr = pytest.importorskip("captum.attr")
    e = relax.explain(tiny, image, method="occlusion", window=8, stride=4)
    scorer = relax.similarity_forward(tiny, image, "cosine")
    direct = attr.Occlusion(scorer).attribute(image[None], (3, 8, 8), strides=(3, 4, 4), baselines=0)
    np.testing.assert_allclose(e.importance, direct[0, 0], atol=1e-5)
    with pytest.raises(relax.ArgumentError, match="from 1 to 28"):
        relax.explain(tiny, image, method="occlusion", window=99)


def test_sobol_indices_of_an_additive_function_are_its_shares_of_variance(image):
    """s = Σ a_u m_u with m uniform: the total index of u is a_u² / Σ a²."""
    a = torch.tensor([3.0, 1.0, 0.0, 2.0])

    def additive(x):
        return nn.functional.avg_pool2d(x[:, :1], 14).flatten(1) * a

    x = torch.ones(3, 28, 28)
    e = relax.explain(
        additive, x, method="sobol", masks=MASKS, fill="zero", similarity=lambda h, _: h.sum(1), n_designs=512
    )
    np.testing.assert_allclose(of_units(e), a.square() / a.square().sum(), atol=0.02)
    assert e.settings["cost"]["forwards"] == 512 * 6 + 1
    with pytest.raises(relax.ArgumentError, match="power of two"):
        relax.explain(additive, x, method="sobol", n_designs=3)


def test_hsic_equals_its_definition_and_vanishes_without_dependence():
    rng = np.random.default_rng(0)
    bits = torch.from_numpy(rng.integers(0, 2, (60, 3))).double()
    scores = bits[:, 0] + 0.3 * bits[:, 0] * bits[:, 1] + torch.from_numpy(rng.normal(0, 0.01, 60))
    values = hsic_of_bits(bits, scores)
    distances = (scores[:, None] - scores[None]).abs()
    width = distances[distances > 0].median()
    kernel = torch.exp(-(distances**2) / (2 * width**2))
    center = torch.eye(60, dtype=torch.float64) - 1 / 60
    for unit in range(3):
        delta = (bits[:, unit, None] == bits[None, :, unit]).double()
        assert float(values[unit]) == pytest.approx(float(torch.trace(delta @ center @ kernel @ center)) / 59**2)
    assert values[0] > 10 * values[2]


def test_hsic_finds_the_only_unit_that_matters(image):
    def corner(x):
        return torch.stack([x[:, 0, :14, :14].mean((1, 2)), torch.ones(len(x))], 1)

    e = relax.explain(corner, torch.ones(3, 28, 28), method="hsic", masks=MASKS, fill="zero", n_samples=256)
    values = of_units(e)
    assert values[0] > 0.01
    assert np.abs(values[1:]).max() < 1e-3 * values[0] + 1e-9


def test_repeat_has_as_many_values_as_repeats_allow(tiny, image):
    e = relax.explain(tiny, image, method="repeat", repeats=5, n_masks=512)
    assert set(np.unique(np.round(e.importance * 5, 5))) <= set(range(6))
    np.testing.assert_allclose(e.uncertainty, e.importance * (1 - e.importance), atol=1e-6)
    assert e.settings["cost"]["forwards"] == 513  # ten repeats for the price of one run
    apart = relax.explain(tiny, image, method="repeat", repeats=3, n_masks=512, shared=False)
    assert apart.settings["cost"]["forwards"] == 3 * 512 + 1
    assert np.corrcoef(apart.importance.ravel(), e.importance.ravel())[0, 1] > 0.9


def test_shared_repeats_spread_as_separate_runs_do(tiny, image):
    """The Bayesian bootstrap over blocks against 40 independent runs: the same spread of the importance."""
    runs = [
        relax.explain(tiny, image, method="relax", n_masks=2048, design="independent", seed=s, batch_size=128)
        for s in range(40)
    ]
    separate = np.stack([e.importance for e in runs]).std(0, ddof=1)
    with problem_of(tiny, image, 2048, design=DESIGNS["independent"]) as problem:
        *_, estimator = _BootstrappedRelax(repeats=40).estimates(problem)
    shared = estimator.resampled().numpy().std(0, ddof=1)
    assert 0.7 < shared.mean() / separate.mean() < 1.3


def test_the_weighted_form_by_hand():
    maps = np.array([[[1.0, 2.0, 4.0]], [[3.0, 0.0, 3.0]]])
    # means 7/3 and 2: b = (0, 0, 1) and (1, 0, 1); weights R / max R = (., ., 1) and (1, ., 1)
    np.testing.assert_allclose(weighted_probability(maps, "mean"), [[0.5, 0.0, 1.0]])
    np.testing.assert_allclose(weighted_probability(maps, lambda m: 1.5), [[0.5, 0.25, 1.0]])


@pytest.mark.parametrize("cut", ["mean", "otsu", "triangle", "li", "median", "quantile:0.8"])
def test_every_cut(tiny, image, cut):
    e = relax.explain(tiny, image, method="repeat", cut=cut, n_masks=512)
    assert 0 < e.importance.mean() < 1


def test_repeating_a_method_without_chance_is_refused(tiny, image):
    pytest.importorskip("captum")
    with pytest.raises(relax.ArgumentError, match="the same map for every seed"):
        relax.explain(tiny, image, method="repeat", base="saliency")
    with pytest.raises(relax.ArgumentError, match="another method"):
        relax.explain(tiny, image, method="repeat", base="repeat")
    with pytest.raises(relax.ArgumentError, match="at least 2"):
        relax.explain(tiny, image, method="repeat", repeats=1)
    relax.explain(tiny, image, method="repeat", base="smoothgrad", repeats=3)


@pytest.mark.parametrize("masks", ["superpixels", "multiscale", relax.SuperpixelMasks("felzenszwalb", scale=50.0)])
@pytest.mark.parametrize("method", ["relax", "kernel-shap", "hsic"])
def test_all_masks_serve_all_perturbation_methods(tiny, image, masks, method):
    if method == "kernel-shap":
        pytest.importorskip("captum")
    options = {"n_masks": 2000} if method == "relax" else {"n_samples": 200}
    e = relax.explain(tiny, image, masks=masks, method=method, design="independent", **options)
    assert np.isfinite(e.importance).all()
    assert e.importance.std() > 0
