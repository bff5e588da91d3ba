"""Metrics on maps with a known answer."""

import numpy as np
import pytest
import torch
from torch import nn

import relax
from relax.evaluation import METRICS, Subject, evidence
from relax.evaluation.curves import STEPS, area, curves

SIDE = 20


def subject(importance, mask=None, signed=False, encoder=None, tensor=None, again=None, **maps):
    importance = np.asarray(importance, dtype=np.float32)
    tensor = torch.ones(3, *importance.shape) if tensor is None else tensor
    explanation = relax.Explanation(
        importance=importance,
        uncertainty=maps.get("uncertainty"),
        standard_error=maps.get("standard_error"),
        n_masks=1,
        n_blocks=1,
        degrees_of_freedom=1,
        reliability=1.0,
        score=1.0,
        inputs={"image": tensor.numpy()},
        presentation=None,
        measures={},
        signed=signed,
        settings={"method": "by hand", "encoder": {"name": "none"}, "input": {}},
    )
    encoder = relax.Encoder(encoder or nn.Flatten())
    return Subject(encoder, explanation, mask, again, seed=0)


@pytest.fixture
def mask():
    mask = np.zeros((SIDE, SIDE), dtype=bool)
    mask[4:12, 5:15] = True
    return mask


LOCALISATION = ("pointing-game", "top-k", "relevance-rank", "relevance-mass", "auc")


@pytest.mark.parametrize("name", LOCALISATION)
def test_a_perfect_map_scores_1_and_its_inverse_0(name, mask):
    assert METRICS[name].better == "higher"
    assert METRICS[name].needs == "mask"
    assert METRICS[name].run(subject(0.7 + 0.1 * mask, mask)) == pytest.approx(1)
    assert METRICS[name].run(subject(0.7 - 0.1 * mask, mask)) == pytest.approx(0)


def test_a_random_map_scores_the_objects_share(mask):
    noise = np.random.default_rng(0).random((SIDE, SIDE))
    share = mask.mean()
    assert METRICS["relevance-mass"].run(subject(noise, mask)) == pytest.approx(share, abs=0.05)
    assert METRICS["relevance-rank"].run(subject(noise, mask)) == pytest.approx(share, abs=0.1)
    assert METRICS["auc"].run(subject(noise, mask)) == pytest.approx(0.5, abs=0.08)


def test_a_constant_map_has_no_order_and_no_mass(mask):
    for name in (*LOCALISATION, "complexity", "sparseness"):
        assert np.isnan(METRICS[name].run(subject(np.full((SIDE, SIDE), 0.7), mask)))


def test_complexity_and_sparseness_of_one_pixel_and_of_many():
    one = np.zeros((SIDE, SIDE))
    one[3, 4] = 2.0
    assert METRICS["complexity"].run(subject(one)) == pytest.approx(0, abs=1e-6)
    assert METRICS["sparseness"].run(subject(one)) == pytest.approx(1, abs=0.01)
    half = np.zeros(SIDE * SIDE)
    half[::2] = 1.0
    half = half.reshape(SIDE, SIDE)
    assert METRICS["complexity"].run(subject(half)) == pytest.approx(np.log(SIDE * SIDE / 2), abs=1e-6)
    assert METRICS["sparseness"].run(subject(half)) == pytest.approx(0.5, abs=0.01)


def test_evidence_is_the_positive_part_or_what_is_above_the_minimum():
    values = np.array([[-2.0, 0.0], [1.0, 3.0]])
    assert evidence(subject(values, signed=True).explanation).tolist() == [[0, 0], [1, 3]]
    assert evidence(subject(values).explanation).tolist() == [[0, 2], [3, 5]]


def test_curves_of_the_identity_are_those_computed_by_hand():
    # 25 pixels, 25 steps: a pixel a step. The representation is the input, the fill is 0, so that the cosine of what
    # is shown to the whole is the share of the norm that is shown.
    x = torch.arange(1.0, 26.0).view(1, 5, 5)
    assert STEPS == 25
    found = curves(subject(x[0].numpy(), tensor=x), "mean")
    squares = np.sort(np.arange(1.0, 26.0))[::-1] ** 2
    shown = np.sqrt(np.r_[0, squares.cumsum()] / squares.sum())
    left = np.sqrt(np.clip(1 - np.r_[0, squares.cumsum()] / squares.sum(), 0, None))
    assert np.allclose(found["insertion"], shown, atol=1e-6)
    assert np.allclose(found["deletion"], left, atol=1e-6)
    assert area([0, 1]) == 0.5
    s = subject(x[0].numpy(), tensor=x)
    difference = METRICS["insertion-deletion:mean"].run(s)
    assert difference == pytest.approx(np.trapezoid(shown, dx=1 / 25) - np.trapezoid(left, dx=1 / 25), abs=1e-6)
    assert METRICS["representation-shift:mean"].run(s) == pytest.approx(1 - left[5], abs=1e-6)
    worst = METRICS["insertion-deletion:mean"].run(subject(-x[0].numpy(), tensor=x))
    assert worst < 0 < difference


def test_ties_are_broken_at_random_not_by_place():
    ranking = subject(np.zeros((SIDE, SIDE))).ranking()
    assert sorted(ranking) == list(range(SIDE * SIDE))
    assert abs(np.corrcoef(ranking, np.arange(SIDE * SIDE))[0, 1]) < 0.15
    values = np.zeros((SIDE, SIDE))
    values[7, 3] = 1
    assert subject(values).ranking()[0] == 7 * SIDE + 3


def test_adapter_equals_a_direct_call_of_quantus(mask, tiny, image):
    import quantus

    values = np.random.default_rng(1).random(image.shape[1:])
    wide = np.zeros(image.shape[1:], dtype=bool)
    wide[4:14, 6:16] = True
    direct = {"disable_warnings": True, "display_progressbar": False}
    call = {"model": None, "x_batch": image.numpy()[None], "y_batch": np.zeros(1, int), "channel_first": True}
    call |= {"a_batch": values[None, None], "s_batch": wide[None, None]}
    s = subject(values, wide, tensor=image, signed=True, encoder=tiny)
    for name, theirs in (("relevance-mass", "RelevanceMassAccuracy"), ("relevance-rank", "RelevanceRankAccuracy")):
        assert METRICS[name].run(s) == pytest.approx(getattr(quantus, theirs)(**direct)(**call)[0], abs=1e-6)

    class Classifier(nn.Module):
        def forward(self, x):
            own = tiny(image[None])
            return nn.functional.cosine_similarity(tiny(x), own)[:, None]

    flipping = quantus.PixelFlipping(features_in_step=28, perturb_baseline=0.0, **direct)
    expected = np.ravel(flipping(**{**call, "model": Classifier().eval()}, softmax=False))
    assert np.ptp(expected) > 0.01  # with a softmax over one class it would be 1 everywhere
    assert METRICS["pixel-flipping"].run(s) == pytest.approx(area(expected), abs=1e-5)
    assert METRICS["pixel-flipping"].better == "lower"


def explained(encoder, tensor, method="relax", seed=0, **options):
    options = {"n_masks": 256, **options} if method == "relax" else options

    def again(other, x, with_seed):
        return relax.explain(other, x, method=method, seed=with_seed, **options)

    encoder = relax.Encoder(encoder)
    return Subject(encoder, again(encoder, tensor, seed), None, again, seed)


def test_sensitivity_is_zero_for_a_map_that_ignores_the_input(tiny, image):
    assert METRICS["max-sensitivity"].run(explained(tiny, image, "random")) == pytest.approx(0, abs=1e-9)
    smooth = explained(tiny, image, "saliency")
    largest, mean = (METRICS[f"{kind}-sensitivity"].run(smooth) for kind in ("max", "avg"))
    assert largest >= mean > 0


def test_parameter_randomisation(tiny, image):
    assert METRICS["parameter-randomisation"].run(explained(tiny, image, "center")) == pytest.approx(1)
    state = {name: value.clone() for name, value in tiny.state_dict().items()}
    assert METRICS["parameter-randomisation"].run(explained(tiny, image, "saliency")) < 0.95
    assert all(torch.equal(value, state[name]) for name, value in tiny.state_dict().items())
    assert np.isnan(METRICS["parameter-randomisation"].run(explained(lambda x: x.mean((2, 3)), image)))


def test_the_standard_error_knows_the_error(tiny, image):
    s = explained(tiny, image, n_masks=1024)
    assert METRICS["standard-error-error"].run(s) > 0.1
    assert -1 <= METRICS["uncertainty-error"].run(s) <= 1
    assert METRICS["mean-uncertainty"].run(s) == pytest.approx(float(s.explanation.uncertainty.mean()), rel=1e-5)
    assert np.isnan(METRICS["uncertainty-error"].run(explained(tiny, image, "saliency")))


def test_global_random_state_is_left_alone(tiny, image):
    torch.manual_seed(5)
    np.random.seed(5)
    before = (torch.rand(1), np.random.random())
    torch.manual_seed(5)
    np.random.seed(5)
    METRICS["faithfulness-correlation"].run(explained(tiny, image, "saliency"))
    METRICS["parameter-randomisation"].run(explained(tiny, image, "saliency"))
    assert (torch.rand(1), np.random.random()) == before


def test_every_metric_says_what_is_better_and_what_it_needs():
    for name, metric in METRICS.items():
        assert metric.name == name
        assert metric.better in ("higher", "lower", "neither")
        assert metric.needs in ("map", "mask", "forwards", "explanations", "uncertainty")


def test_ties_do_not_point():
    """Half of the pixels share the maximum, one of them is on the object: in half of the runs it does not win."""
    values = np.zeros((10, 10))
    values[:5] = 1.0
    mask = np.zeros((10, 10), dtype=bool)
    mask[0, 0] = True
    hits = []
    for seed in range(60):
        s = subject(values, mask)
        s.seed = seed
        hits.append(METRICS["pointing-game"].run(s))
    assert np.mean(hits) == pytest.approx(1 / 50, abs=0.06)


def test_an_empty_mask_has_no_localisation():
    values = np.random.default_rng(0).random((8, 8))
    empty = subject(values, np.zeros((8, 8), dtype=bool))
    for name in ("pointing-game", "top-k", "relevance-rank", "relevance-mass", "auc"):
        assert np.isnan(METRICS[name].run(empty)), name


def test_the_evidence_of_a_thresholded_map_is_that_of_what_was_kept():
    values = np.array([[0.0, 0.73], [0.75, 0.80]])
    s = subject(values)
    s.explanation.settings["method"] = "u-relax"
    np.testing.assert_allclose(evidence(s.explanation), [[0, 0], [0.02, 0.07]], atol=1e-6)
