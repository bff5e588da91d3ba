"""explain(): promises about seeds, batches, lists, what is left as found, and what is refused."""

import inspect
import warnings

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

import relax
from relax.estimation.designs import DESIGNS
from relax.methods.base import ARGUMENTS
from relax.modalities.masks import GridMasks

MAPS = ("importance", "uncertainty", "standard_error")


def assert_same_maps(a, b, atol=1e-6):
    for name in MAPS:
        np.testing.assert_allclose(getattr(a, name), getattr(b, name), atol=atol, rtol=0)


@pytest.mark.parametrize("design", ["foldover", "independent"])
@pytest.mark.parametrize("batch_size", [1, 3, 100, 1000])
def test_the_same_seed_gives_the_same_maps_in_any_batches(tiny, image, design, batch_size):
    expected = relax.explain(tiny, image, n_masks=256, design=design, batch_size=16)
    assert_same_maps(relax.explain(tiny, image, n_masks=256, design=design, batch_size=batch_size), expected)
    assert_same_maps(relax.explain(tiny, image, n_masks=256, design=design), expected)  # auto
    other = relax.explain(tiny, image, n_masks=256, design=design, seed=1, batch_size=16)
    assert np.abs(other.importance - expected.importance).max() > 1e-4


def test_a_list_gives_what_single_calls_give(tiny, image):
    images = [image, image.flip(2), 2 * image]
    for several in (images, torch.stack(images), tuple(images)):
        results = relax.explain(tiny, several, n_masks=256)
        assert isinstance(results, list)
        for one, result in zip(images, results, strict=True):
            assert_same_maps(relax.explain(tiny, one, n_masks=256), result)


def test_pictures_in_every_form_are_one_picture(lite0, tmp_path):
    array = np.random.default_rng(0).integers(0, 255, (40, 60, 3), dtype=np.uint8)
    Image.fromarray(array).save(tmp_path / "a.png")
    prepared = [lite0.prepare(x).tensor for x in (array, array / 255, Image.fromarray(array), tmp_path / "a.png")]
    for tensor in prepared:
        torch.testing.assert_close(tensor, prepared[0])
    torch.testing.assert_close(lite0.prepare(str(tmp_path / "a.png")).tensor, prepared[0])


class Counting(nn.Module):
    def __init__(self, inner):
        super().__init__()
        self.inner = inner
        self.rows = 0

    def forward(self, x):
        self.rows += len(x)
        return self.inner(x)


@pytest.mark.parametrize(("n_masks", "done"), [(1, 128), (128, 128), (129, 256), (1000, 1024)])
@pytest.mark.filterwarnings("ignore::relax.errors.RelaxWarning")
def test_forwards_are_counted_and_are_masks_plus_one(tiny, image, n_masks, done):
    counting = Counting(tiny)
    e = relax.explain(counting, image, method="relax", n_masks=n_masks, precision="float32")
    assert e.n_masks == done
    assert counting.rows == done + 1
    assert e.settings["cost"]["forwards"] == done + 1
    counting.rows = 0
    e = relax.explain(counting, [image, image], method="relax", n_masks=256, precision="float32")
    assert counting.rows == 2 * 257


def test_batch_size_is_found_without_extra_forwards_and_remembered(tiny, image):
    counting = Counting(tiny)
    encoder = relax.Encoder(counting)
    relax.explain(encoder, image, n_masks=512, precision="float32")
    assert counting.rows == 513
    assert len(encoder.batch_sizes) == 1


def test_against_another_input_costs_one_forward_more_and_changes_the_map(tiny, image):
    counting = Counting(tiny)
    other = image.flip(1)
    e = relax.explain(counting, image, against=other, n_masks=256, precision="float32")
    assert counting.rows == 258
    own = relax.Encoder(tiny).encode(torch.stack([image, other])).double()
    assert e.score == pytest.approx(float(torch.cosine_similarity(own[:1], own[1:])), abs=1e-6)
    assert_same_maps(relax.explain(tiny, image, against=image, n_masks=256), relax.explain(tiny, image, n_masks=256))


def test_nothing_is_left_changed(image):
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Dropout(0.5))
    model[2].eval()  # partly frozen, as people do
    model[0].weight.requires_grad_(False)
    model[1].weight.grad = torch.ones(4)
    statistics = model[1].running_mean.clone()
    torch.manual_seed(5)
    np.random.seed(5)
    expected = (torch.rand(1), np.random.rand())
    torch.manual_seed(5)
    np.random.seed(5)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        relax.explain(model, image, n_masks=256)
        assert torch.is_autocast_enabled("cpu")
        assert torch.get_autocast_dtype("cpu") == torch.bfloat16
    assert torch.is_grad_enabled()
    assert (torch.rand(1), np.random.rand()) == expected
    assert [m.training for m in model] == [True, True, False]
    assert torch.equal(model[1].running_mean, statistics)
    assert torch.equal(model[1].weight.grad, torch.ones(4))
    assert [p.requires_grad for p in model.parameters()] == [False, True, True, True]


def test_the_mode_is_put_back_after_an_error(image):
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Conv2d(5, 4, 3)).train()
    with pytest.raises(relax.InputError):
        relax.explain(model, image)
    assert all(module.training for module in model.modules())


def test_an_ambient_autocast_changes_nothing(tiny, image):
    expected = relax.explain(tiny, image, n_masks=256, precision="float32")
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert_same_maps(relax.explain(tiny, image, n_masks=256, precision="float32"), expected)


def test_an_adaptive_run_stops_when_the_map_is_reliable(tiny, image):
    e = relax.explain(tiny, image, reliability=0.95)
    assert e.reliability >= 0.95
    assert e.n_masks < 3000
    strict = relax.explain(tiny, image, reliability=0.99999, max_masks=1000)
    assert strict.n_masks <= 1000
    again = relax.explain(tiny, image, n_masks=e.n_masks)
    assert_same_maps(again, e)


@pytest.mark.parametrize("fill", ["mean", "black", "white", "#ff8800", (1, 2, 3), "blur", "noise"])
def test_fills_show_where_a_mask_removes(lite0, fill):
    picture = np.random.default_rng(0).integers(0, 255, (50, 50, 3), dtype=np.uint8)
    encoder = relax.Encoder(nn.AdaptiveAvgPool2d(2), lite0.transform, pool=lambda x: x.flatten(1))
    tensor = encoder.prepare(picture).tensor
    background = relax.fills.ensure(fill).background(tensor, encoder, 0)
    color = {"mean": (127, 127, 127), "black": (0, 0, 0), "white": (255, 255, 255), "#ff8800": (255, 136, 0)}.get(
        fill, fill
    )
    if isinstance(color, tuple):
        expected = (torch.tensor(color) - 127.0) / 128
        torch.testing.assert_close(background, expected[:, None, None].expand(3, 224, 224), atol=1e-6, rtol=0)
    elif fill == "blur":
        assert background.std() < 0.5 * tensor.std()
        torch.testing.assert_close(background.mean((1, 2)), tensor.mean((1, 2)), atol=0.02, rtol=0)
    else:
        torch.testing.assert_close(background.std((1, 2)), tensor.std((1, 2)), atol=0.02, rtol=0)


def test_a_masked_input_is_the_blend_of_input_and_fill(image):
    background = torch.rand_like(image)
    units = GridMasks(5).over(image)
    block = DESIGNS["independent"].block(0, units, 0.5, 0)[:6]
    masks = units.masks(block)[:, None]
    prepared = relax.Prepared({"image": image})
    found = (
        relax.fills.ensure(background).bind(prepared, relax.Encoder(torch.nn.Identity())).apply(prepared, units, block)
    )
    torch.testing.assert_close(found, image * masks + background * (1 - masks))


def test_another_picture_as_fill(tiny, image):
    dull = relax.explain(tiny, image, n_masks=256, fill=image.roll(5, 1))
    assert dull.settings["fill"]["name"] == "other"
    with pytest.raises(relax.ArgumentError, match=r"expected a fill of shape \(3, 28, 28\)"):
        relax.explain(tiny, image, fill=torch.zeros(3, 14, 14))


def test_low_precision_is_used_only_where_it_agrees(tiny, image, monkeypatch):
    from relax.encoders import session

    monkeypatch.setattr(session, "fast_precision", lambda device: "bfloat16")
    e = relax.explain(tiny, image, n_masks=256)
    assert e.settings["precision"] == "bfloat16"
    assert e.settings["cost"] | {"seconds": 0} == {"forwards": 257, "backwards": 0, "probes": 16, "seconds": 0}

    class Brittle(nn.Module):
        """Differences that bfloat16 cannot hold."""

        def __init__(self):
            super().__init__()
            self.linear = nn.Linear(3, 64)

        def forward(self, x):
            return self.linear(1e4 + x.mean((2, 3))) - self.linear(torch.full((1, 3), 1e4)).detach()

    assert relax.explain(Brittle(), image, n_masks=256).settings["precision"] == "float32"


def test_the_error_of_low_precision_is_taken_beside_the_spread():
    from relax.encoders.precision import error_to_spread

    exact = torch.tensor([[100.0, 0.0], [102.0, 0.0], [101.0, 3.0], [101.0, -3.0]])  # squares about the mean: 20
    fast = exact + torch.tensor([[0.0, 0.1], [0.1, 0.0], [0.0, 0.0], [0.0, 0.0]])
    assert error_to_spread(exact, fast) == pytest.approx((0.02 / 20) ** 0.5, rel=1e-4)
    assert error_to_spread(exact[:1], exact[:1]) == float("inf")  # nothing to tell apart
    assert error_to_spread(exact, exact * float("nan")) == float("inf")


def test_models_in_half_precision_are_explained_in_it(tiny, image):
    half = relax.explain(tiny.bfloat16(), image, n_masks=512)
    full = relax.explain(tiny.float(), image, n_masks=512)
    assert np.corrcoef(half.importance.ravel(), full.importance.ravel())[0, 1] > 0.99


def test_memory_that_runs_out_halves_the_batch(tiny, image):
    class Small(nn.Module):
        def forward(self, x):
            if len(x) > 5:
                raise torch.OutOfMemoryError("too large")
            return tiny(x)

    e = relax.explain(Small(), image, n_masks=256, batch_size=64)
    assert e.settings["batch_size"] == 4
    assert_same_maps(e, relax.explain(tiny, image, n_masks=256))


class Returns(nn.Module):
    def __init__(self, output):
        super().__init__()
        self.output = output

    def forward(self, x):
        return self.output(x)


@pytest.mark.parametrize(
    ("output", "error", "words"),
    [
        (lambda x: x.mean((2, 3)) * torch.nan, relax.EncoderError, "NaN or infinite"),
        (
            lambda x: torch.where(torch.arange(len(x))[:, None] == 3, torch.inf, x.mean((2, 3))),
            relax.EncoderError,
            "NaN",
        ),
        (lambda x: torch.ones(len(x), 4), relax.EncoderError, "same score"),
        (lambda x: x.mean((1, 2, 3), keepdim=True)[:, :, 0, 0], relax.EncoderError, "length one"),
        (lambda x: x.mean((1, 2, 3)), relax.EncoderError, r"expected representations of shape \(N, D\)"),
        (lambda x: x.mean(), relax.EncoderError, "one representation for each of"),
        (lambda x: x.mean((2, 3))[:1].repeat(len(x) + 1, 1), relax.EncoderError, "one representation for each of"),
        (lambda x: "text", relax.EncoderError, "got str"),
        (lambda x: {"a": x, "b": x}, relax.EncoderError, "several tensors"),
        (lambda x: x.mean((2, 3)) @ torch.ones(5, 2), relax.InputError, "cannot encode an input of shape"),
    ],
)
def test_encoders_that_cannot_be_explained(image, output, error, words):
    with pytest.raises(error, match=words) as caught:
        relax.explain(Returns(output), image, n_masks=256)
    assert "\n" not in str(caught.value)


def test_an_encoder_of_another_input_size_says_so(image):
    model = nn.Sequential(nn.Flatten(), nn.Linear(3 * 32 * 32, 4))
    with pytest.raises(relax.InputError, match=r"cannot encode an input of shape \(3, 28, 28\)"):
        relax.explain(model, image)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"n_masks": 0}, "`n_masks` to be a positive integer, got 0"),
        ({"n_masks": -5}, "`n_masks` to be a positive integer, got -5"),
        ({"n_masks": 2.5}, "`n_masks` to be an integer"),
        ({"max_masks": 0}, "`max_masks`"),
        ({"reliability": 1.0}, "`reliability` between 0 and 1"),
        ({"seed": -1}, "`seed` to be a non-negative integer"),
        ({"method": "reluxe"}, r"unknown method 'reluxe'; available: .*relax.*Did you mean 'relax'"),
        ({"masks": "hexagons"}, "unknown kind of masks 'hexagons'; available: grid, patches"),
        ({"masks": 7}, "expected `masks` to be Masks or one of"),
        ({"masks": "patches"}, "no known patch size"),
        ({"fill": "sepia"}, "unknown fill 'sepia'; expected one of mean, zero, solid"),
        ({"fill": (300, 0, 0)}, "three integers in 0-255"),
        ({"similarity": "cosin"}, "unknown similarity 'cosin'.*Did you mean 'cosine'"),
        ({"similarity": 3}, "`similarity` to be a callable"),
        ({"design": "best"}, "unknown design 'best'; available: foldover, independent"),
        ({"masks": GridMasks(keep=0.3)}, "design='independent'"),
        ({"method": "u-relax", "threshold": "quantile:2"}, "expected `threshold`"),
        ({"method": "relax", "threshold": "median"}, "method 'relax' has no option 'threshold'; it has none"),
        ({"n_mask": 64}, r"has no option 'n_mask'; it has .*Did you mean 'n_masks'\?"),
        ({"method": "u-relax", "level": 1}, "no option 'level'; it has: threshold"),
        ({"precision": "int8"}, "expected `precision`"),
        ({"batch_size": 0}, "expected `batch_size`"),
        ({"device": "nowhere"}, "device 'nowhere' cannot be used here"),
    ],
)
def test_arguments_that_cannot_be(tiny, image, arguments, words):
    with pytest.raises(relax.ArgumentError, match=words) as caught:
        relax.explain(tiny, image, **arguments)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("source", "words"),
    [
        (torch.zeros(3, 4), r"expected a tensor of shape \(C, H, W\)"),
        (torch.full((3, 28, 28), torch.nan), "NaN or infinite"),
        (torch.zeros(3, 28, 28, dtype=torch.uint8), "floating-point"),
        (torch.zeros(3, 0, 28), "empty tensor"),
        ([], "at least one input"),
        (5, "expected a path, PIL image, numpy array or tensor, got int"),
        (np.zeros((4, 4, 3)), "has no transform for pictures"),
    ],
)
def test_inputs_that_cannot_be(tiny, source, words):
    with pytest.raises(relax.InputError, match=words):
        relax.explain(tiny, source)


def test_every_argument_can_be_what_was_meant():
    arguments = inspect.signature(relax.Explainer).parameters
    own = [name for name, one in arguments.items() if one.kind is one.KEYWORD_ONLY and name != "method"]
    assert list(ARGUMENTS) == own


def test_unknown_encoders_are_answered_with_those_there_are():
    with pytest.raises(relax.UnknownNameError, match="unknown encoder 'effnet'; available: efficientnet-lite0, "):
        relax.load_encoder("effnet")
    with pytest.raises(relax.UnknownNameError, match="needs its prefix, such as 'timm:resnet50'"):
        relax.load_encoder("resnet50")
    with pytest.raises(relax.UnknownNameError, match=r"Did you mean 'efficientnet-lite0'\?$"):
        relax.load_encoder("efficentnet-lite0")
    with pytest.raises(relax.ArgumentError, match=r"expected an nn\.Module or a callable as encoder, got int"):
        relax.explain(5, torch.zeros(3, 8, 8))


def test_u_relax_filters_by_uncertainty(tiny, image):
    plain = relax.explain(tiny, image, method="relax", n_masks=256)
    filtered = relax.explain(tiny, image, method="u-relax", threshold="quantile:0.3", n_masks=256)
    np.testing.assert_allclose(filtered.importance, plain.u_relax("quantile:0.3"), atol=1e-6)
    assert 0.25 < np.mean(filtered.importance != 0) < 0.35


def test_the_trained_encoder_points_at_the_object(lite0):
    """On a real photograph: the rocket is found on its launch pad (box drawn by hand)."""
    from skimage import data

    e = relax.explain(lite0, data.rocket(), n_masks=512)
    height, width = data.rocket().shape[:2]
    y, x = np.unravel_index(np.argmax(e.at_picture_size()), (height, width))
    assert 120 < y < 410
    assert 270 < x < 350


def test_no_warning_is_raised_by_an_ordinary_run(tiny, image):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        relax.explain(tiny, image, n_masks=256)


def test_hoeffding_bound():
    assert relax.masks_needed(0.0248) == 2999
    assert relax.masks_needed(0.0248, score_range=2.0) == 11996
    assert relax.masks_needed(0.01, confidence=0.99) == 26492
    with pytest.raises(relax.ArgumentError, match="tolerance"):
        relax.masks_needed(0)
