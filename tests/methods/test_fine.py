"""relax-fine and relax-gradient: against RELAX, brute force and closed forms."""

import itertools

import numpy as np
import pytest
import torch

import relax
from conftest import problem_of
from relax.estimation.designs import FoldOver
from relax.methods import fine_gradient
from relax.methods.fine import RelaxFine
from relax.methods.fine_gradient import RelaxGradient, _maps, _slopes
from relax.modalities.fills import blended
from relax.modalities.image.modality import Image
from relax.modalities.masks import GridMasks, SuperpixelMasks

QUADRANTS = GridMasks(2, offsets="none")


class Flat(relax.Background):
    """One value everywhere."""

    def __init__(self, value):
        self.value = value

    def background(self, tensor, by, seed):
        return torch.full_like(tensor, self.value)

    def settings(self):
        return {"name": "flat"}


@pytest.fixture
def problem(tiny, image):
    fills = (Flat(0.0), Flat(0.5))
    with problem_of(tiny, image, 2000, fills=fills, masks=(GridMasks(4), QUADRANTS), design=FoldOver()) as problem:
        yield problem


def tried(problem, contrast):
    *_, mixture = RelaxFine(contrast=contrast).estimates(problem)
    return mixture


def kinds_for(tensor):
    return tuple(scale.masks for scale in Image().scales(relax.Prepared({"image": tensor})))


def test_one_kind_one_fill_and_no_contrast_is_relax(tiny, image):
    """Over all 16 masks of four quadrants: the expectation of RELAX, within its standard error."""
    own = tiny(image[None]).detach()
    units = QUADRANTS.over(image)
    bits = torch.tensor(list(itertools.product((0.0, 1.0), repeat=4)))
    masks = units.masks(relax.masks.Block(bits, torch.zeros(1, 2, dtype=torch.long))).double()
    scores = torch.cosine_similarity(tiny(image * masks[:, None].float()).detach(), own)
    scores = scores.double()[:, None, None]
    expected = (scores * masks).sum(0) / masks.sum(0)
    spread = (scores.square() * masks).sum(0) / masks.sum(0) - expected.square()
    e = relax.explain(
        tiny, image, method="relax-fine", masks=QUADRANTS, fill="mean", contrast=0.0, n_masks=20_000,
        design="independent", precision="float32",
    )  # fmt: skip
    difference = np.abs(e.importance - expected.numpy())
    assert (difference <= 4 * e.standard_error + 1e-6).all()
    np.testing.assert_allclose(e.uncertainty, spread.numpy(), rtol=0.1, atol=1e-6)
    assert e.neutral == pytest.approx(float(scores.mean()), abs=0.002)


def test_contrast_scales_the_effect_and_leaves_the_level(tiny, image):
    plain, scaled = (
        relax.explain(tiny, image, method="relax-fine", masks=GridMasks(4), fill="mean", contrast=c, n_masks=256)
        for c in (0.0, 0.5)
    )
    change = image.abs().mean(0).double().numpy()
    factor = np.sqrt(change / change.mean())
    assert plain.neutral == pytest.approx(scaled.neutral)
    np.testing.assert_allclose(
        scaled.importance - scaled.neutral, factor * (plain.importance - plain.neutral), atol=1e-6
    )
    # the error of the level is the same, that of the pattern is scaled: where the factor is 1, nothing changes
    low, high = (np.minimum(factor, 1), np.maximum(factor, 1))
    assert (scaled.standard_error >= low * plain.standard_error - 1e-7).all()
    assert (scaled.standard_error <= high * plain.standard_error + 1e-7).all()
    np.testing.assert_allclose(scaled.uncertainty, plain.uncertainty, atol=1e-7)


def test_parts_move_the_map_equally(problem):
    """Weights bring the effects of all parts to one scale and sum to one; the level is the mean score of all."""
    parts = tried(problem, 0.0)
    assert len(parts.parts) == 4
    weights = parts.weights()
    assert sum(weights) == pytest.approx(1)
    moved = [w * float(part.moments.effect().std()) for w, part in zip(weights, parts.parts, strict=True)]
    np.testing.assert_allclose(moved, moved[0], rtol=1e-9)
    level = sum(part.moments.mean_score() for part in parts.parts) / 4
    by_hand = sum(w * part.moments.effect() for w, part in zip(weights, parts.parts, strict=True))
    torch.testing.assert_close(parts.importance(), level + by_hand)
    assert parts.neutral() == pytest.approx(level)
    patterns = [w**2 * part.moments.variance(level=False) for w, part in zip(weights, parts.parts, strict=True)]
    levels = [part.moments.level_variance() / 16 for part in parts.parts]
    torch.testing.assert_close(parts.variance(), sum(patterns) + sum(levels))


def test_the_spread_is_that_of_the_mixture(problem):
    """E[s²|visible] − E[s|visible]² with the parts' masks in the proportions of their weights."""
    parts = tried(problem, 0.0)
    weights = parts.weights()
    means = [part.moments.importance() for part in parts.parts]
    squares = [part.moments.uncertainty() + m.square() for part, m in zip(parts.parts, means, strict=True)]
    mean = sum(w * m for w, m in zip(weights, means, strict=True))
    square = sum(w * q for w, q in zip(weights, squares, strict=True))
    torch.testing.assert_close(parts.uncertainty(), square - mean.square())


def test_the_standard_error_is_that_of_repeated_runs(tiny, image):
    runs = [
        relax.explain(tiny, image, method="relax-fine", masks=[GridMasks(4), GridMasks(7)], n_masks=512, seed=s)
        for s in range(24)
    ]
    spread = np.std([e.importance for e in runs], axis=0, ddof=1).mean()
    claimed = np.mean([e.standard_error for e in runs])
    assert 0.5 < claimed / spread < 2.0


def test_a_fill_that_equals_the_input_is_left_out(tiny):
    flat = torch.full((3, 28, 28), 1.4)
    e = relax.explain(tiny, flat, method="relax-fine", n_masks=256)  # blurring changes nothing, the mean does
    assert np.isfinite(e.importance).all()
    with pytest.raises(relax.EncoderError, match="same score"):
        relax.explain(tiny, torch.zeros(3, 28, 28), method="relax-fine", n_masks=256)


def test_units_are_never_smaller_than_four_pixels():
    large, small = (kinds_for(torch.zeros(3, side, side)) for side in (224, 28))
    assert GridMasks(28) in large
    assert SuperpixelMasks(n_segments=250) in large
    assert small == (GridMasks(7),)
    assert GridMasks(14) not in kinds_for(torch.zeros(3, 30, 200))


def test_rounds_end_adaptive_runs_and_turns_end_fixed_ones(tiny, image):
    options = {"method": "relax-fine", "masks": [GridMasks(4), GridMasks(7)], "fill": ["mean", "blur"]}
    assert relax.explain(tiny, image, **options, n_masks=1).n_masks == 64  # two blocks of the first part
    e = relax.explain(tiny, image, **options, max_masks=1000, reliability=0.9999)
    assert e.n_masks <= 1000
    assert e.n_masks == 768  # three rounds of two kinds, two fills and two blocks of 32


def test_it_is_made_again_from_its_settings(tiny, image):
    e = relax.explain(tiny, image, n_masks=256, seed=3, precision="float32")
    assert e.settings["method"] == "relax-fine"
    again = relax.explain(tiny, torch.from_numpy(np.array(e.input)), **e.arguments())
    np.testing.assert_array_equal(again.importance, e.importance)


def test_methods_with_samples_of_their_own_are_made_again_without_a_warning(tiny, image, recwarn):
    e = relax.explain(tiny, image, method="relax-gradient", n_samples=32, precision="float32")
    again = relax.explain(tiny, torch.from_numpy(np.array(e.input)), **e.arguments())
    np.testing.assert_array_equal(again.importance, e.importance)
    assert not [w for w in recwarn if issubclass(w.category, relax.RelaxWarning)]


def test_masks_and_views_ask_for_relax(tiny, image):
    assert relax.explain(tiny, image, masks="grid", n_masks=256).settings["method"] == "relax"


def test_slopes_are_those_of_finite_differences(problem):
    """The derivative in the mask, pixel by pixel, of a few pixels."""
    perturbed = problem.perturbed
    whole, background = perturbed.prepared.tensor, perturbed.background
    block = FoldOver(4).block(0, perturbed.units, 0.5, 0)
    scores, total = _slopes(problem, perturbed, block)
    masks = perturbed.units.masks(block)
    rows = blended(whole, background, masks)
    torch.testing.assert_close(scores, problem.reference.score(problem.session(rows)).double())
    step = 1e-2
    for y, x in ((3, 5), (14, 14), (20, 9)):
        by_hand = 0.0
        for mask in masks:
            values = []
            for sign in (1, -1):
                moved = mask.clone()
                moved[y, x] += sign * step
                row = background + (whole - background) * moved
                values.append(float(problem.reference.score(problem.session(row[None]))))
            by_hand += abs(values[0] - values[1]) / (2 * step)
        assert float(total[y, x]) == pytest.approx(by_hand, rel=0.1, abs=1e-4)


def test_gradients_find_the_pixels_that_a_linear_encoder_weighs(image):
    """s = ⟨W x, h⟩: the derivative in the mask is the same for all masks, (x − b) · Wᵀh."""
    generator = torch.Generator().manual_seed(0)
    weight = torch.zeros(5, 3, 28, 28)
    weight[:, :, 10:14, 6:9] = torch.randn(5, 3, 4, 3, generator=generator)

    def encoder(x):
        return torch.einsum("nchw,dchw->nd", x, weight)

    e = relax.explain(encoder, image, method="relax-gradient", similarity="dot", fill="mean", precision="float32")
    slope = (image * torch.einsum("dchw,d->chw", weight, encoder(image[None])[0])).sum(0).abs().sqrt().numpy()
    outside = weight.abs().sum((0, 1)).numpy() == 0
    smooth = e.importance[outside]  # there only the grid's effect is left
    assert np.ptp(smooth) < np.ptp(e.importance)
    inside = ~outside
    assert np.corrcoef(e.importance[inside], slope[inside])[0, 1] > 0.9
    assert e.settings["cost"]["backwards"] == 96


def test_the_first_fill_counts_twice(problem, monkeypatch):
    """Twice the masks of another, and its pattern moves the map twice as much; the slope twice the effect."""
    kept = []
    monkeypatch.setattr(fine_gradient, "_maps", lambda sensed, problem: kept.append(sensed) or _maps(sensed, problem))
    maps = RelaxGradient(n_samples=96).run(problem)
    ((first, other),) = kept
    assert (first.moments.n_masks, other.moments.n_masks) == (64, 32)
    shapes = [one.relief() / one.relief().std() for one in (first, other)]
    expected = 2 * shapes[0] + shapes[1]
    found = torch.from_numpy(maps.importance) - maps.neutral
    torch.testing.assert_close(found / found.std(), expected / expected.std())
    slope = 3 * first.relief() - first.moments.effect()
    assert float(slope.std()) == pytest.approx(2 * float(first.moments.effect().std()))
    torch.testing.assert_close(slope, 2 * first.ratio() * (first.total / 64).sqrt())
    assert RelaxGradient(n_samples=18).run(problem).n_masks == 18


def test_a_black_box_has_no_gradients(tiny, image):
    black_box = relax.Encoder(lambda x: torch.from_numpy(tiny(x).detach().numpy()))
    with pytest.raises(relax.ArgumentError, match="relax-fine"):
        relax.explain(black_box, image, method="relax-gradient")
    assert np.isfinite(relax.explain(black_box, image, n_masks=64).importance).all()


def test_several_masks_are_for_methods_that_take_them(tiny, image):
    with pytest.raises(relax.ArgumentError, match="one kind of masks, got 2"):
        relax.explain(tiny, image, method="relax", masks=[GridMasks(4), GridMasks(7)])
    with pytest.raises(relax.ArgumentError, match="one fill, got 2"):
        relax.explain(tiny, image, method="u-relax", fill=["blur", "mean"])
    with pytest.raises(relax.ArgumentError, match="`contrast` from 0 to 2"):
        relax.explain(tiny, image, contrast=3.0)


def test_several_kinds_of_masks_are_for_the_default(tiny, image):
    e = relax.explain(tiny, image, masks=[GridMasks(4), GridMasks(7)], n_masks=64)
    assert e.settings["method"] == "relax-fine"


def test_gradients_do_not_tell_up_from_down(tiny, image):
    """A mean magnitude has no sign, and a map against a reference is about signs."""
    with pytest.raises(relax.ArgumentError, match="use method='relax-fine'"):
        relax.explain(tiny, image, image.flip(2), method="relax-gradient")


def test_what_gradients_cannot_see_is_said(tiny, image):
    with pytest.raises(relax.EncoderError, match="same score"):
        relax.explain(tiny, torch.zeros(3, 28, 28), method="relax-gradient")

    class Rounded(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return (x * 8).round()

        @staticmethod
        def backward(ctx, gradient):
            return torch.zeros_like(gradient)

    with pytest.raises(relax.ArgumentError, match="are zero everywhere"):
        relax.explain(lambda x: tiny(Rounded.apply(x)), image, method="relax-gradient")


def test_few_gradients_have_an_error_and_fewer_say_that_they_have_none(tiny, image):
    e = relax.explain(tiny, image, method="relax-gradient", n_samples=12)
    assert np.isfinite(e.standard_error).all()
    assert np.isfinite(e.reliability)
    with pytest.warns(relax.RelaxWarning, match="n_samples of at least 12"):
        relax.explain(tiny, image, method="relax-gradient", n_samples=3)


def test_a_strip_has_its_grid_where_superpixels_find_one_segment(tiny):
    strip = torch.rand(3, 16, 600, generator=torch.Generator().manual_seed(0))
    assert kinds_for(strip)[0] == GridMasks(7)
    assert np.isfinite(relax.explain(tiny, strip, n_masks=128).importance).all()
