"""The Explainer: one set of arguments for any number of inputs, in any number of threads."""

from __future__ import annotations

import resource
import threading
from itertools import islice

import numpy as np
import pytest
import torch
from torch import nn

import relax
from relax.methods.gradients import SmoothGrad

MAPS = ("importance", "uncertainty", "standard_error")


def same(a, b, atol=1e-6):
    for name in MAPS:
        left, right = getattr(a, name), getattr(b, name)
        assert (left is None) == (right is None)
        if left is not None:
            np.testing.assert_allclose(left, right, atol=atol, rtol=0)


@pytest.fixture
def images(image):
    return [image.roll(k, 2) for k in range(6)]


def test_calls_streams_and_explain_are_one_thing(tiny, images):
    explainer = relax.Explainer(tiny, n_masks=256, method="relax", precision="float32")
    for one, streamed, x in zip(
        relax.explain(tiny, images, n_masks=256, method="relax"), explainer.stream(iter(images)), images, strict=True
    ):
        same(one, streamed)
        same(one, explainer(x))


def test_against_and_seed_can_be_said_with_a_call(tiny, image):
    explainer = relax.Explainer(tiny, n_masks=256, method="relax")
    other = image.flip(2)
    same(explainer(image, against=other), relax.explain(tiny, image, other, n_masks=256, method="relax"))
    same(explainer(image, seed=5), relax.explain(tiny, image, n_masks=256, method="relax", seed=5))
    same(explainer(image), relax.explain(tiny, image, n_masks=256, method="relax"))


@pytest.mark.parametrize("how", [{"method": "relax"}, {"n_masks": 700}, {"method": "repeat"}, {"method": "saliency"}])
def test_the_last_of_progressive_explanations_is_that_of_a_call(tiny, image, how):
    explainer = relax.Explainer(tiny, precision="float32", **how)
    steps = list(explainer.progressive(image))
    same(steps[-1], explainer(image))
    assert [e.n_masks for e in steps] == sorted(e.n_masks for e in steps)
    assert len(steps) > 1 or how == {"method": "saliency"}


def test_between_two_rounds_the_caller_has_his_own_mode_and_gradients(tiny, image):
    tiny.train()
    for _ in relax.Explainer(tiny, method="relax", n_masks=512).progressive(image):
        assert tiny.training
        assert torch.is_grad_enabled()
    for _ in relax.Explainer(tiny, method="relax", n_masks=256).stream([image, image]):
        assert tiny.training
        assert torch.is_grad_enabled()


def test_a_stream_is_lazy_and_reads_only_a_little_ahead(tiny, image):
    asked = []

    def sources():
        for number in range(100):
            asked.append(number)
            yield image

    stream = relax.Explainer(tiny, method="relax", n_masks=256).stream(sources(), ahead=3)
    assert asked == []
    list(islice(stream, 2))
    assert len(asked) <= 2 + 3 + 1
    stream.close()


@pytest.mark.parametrize("ahead", [0, 2])
def test_a_bad_input_is_an_exception_or_a_result_that_says_so(tiny, image, ahead):
    explainer = relax.Explainer(tiny, method="relax", n_masks=256)
    sources = [image, image * float("nan"), image]
    first, bad, last = explainer.stream(sources, errors="return", ahead=ahead)
    assert isinstance(bad, relax.Failed)
    assert "NaN" in str(bad.error)
    assert bad.source is sources[1]
    same(first, last)
    stream = explainer.stream(sources, ahead=ahead)
    next(stream)
    with pytest.raises(relax.InputError, match="NaN"):
        next(stream)
    with pytest.raises(relax.ArgumentError, match="'raise' or 'return'"):
        next(explainer.stream(sources, errors="ignore"))


@pytest.mark.filterwarnings("ignore::relax.errors.RelaxWarning")
def test_two_thousand_inputs_take_no_more_memory_than_a_hundred():
    class Mean(nn.Module):
        def forward(self, x):
            return torch.cat([x.mean((2, 3)), x.square().mean((2, 3))], 1)

    explainer = relax.Explainer(Mean(), method="relax", n_masks=16, masks=relax.GridMasks(2), batch_size=16)
    generator = torch.Generator().manual_seed(0)
    stream = explainer.stream(torch.rand(3, 32, 32, generator=generator) * 2 for _ in range(2000))
    for _ in islice(stream, 100):
        pass
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert sum(1 for _ in stream) == 1900
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss < before * 1.05


METHODS = ["relax", "relax-regression", "smoothgrad", "guided-backprop", "deeplift", "lafam", "kernel-shap", "sobol"]


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.filterwarnings("ignore::relax.errors.RelaxWarning")
def test_threads_that_share_a_model_in_train_mode_get_what_one_thread_gets(tiny, images, method):
    pytest.importorskip("captum")
    model = nn.Sequential(tiny.net, nn.Flatten()).train()
    model[0][2] = nn.ReLU()
    expected = [relax.explain(model, x, method=method, max_masks=256) for x in images]
    statistics = model[0][1].running_mean.clone()
    found: dict[int, object] = {}
    start = threading.Barrier(8)

    def work(number: int) -> None:
        start.wait()
        try:
            found[number] = relax.explain(model, images[number % 6], method=method, max_masks=256)
        except Exception as error:  # noqa: BLE001 - whatever it is, the test says it
            found[number] = error

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for number, e in found.items():
        assert isinstance(e, relax.Explanation), e
        scale = np.abs(expected[number % 6].importance).max()
        np.testing.assert_allclose(e.importance, expected[number % 6].importance, atol=1e-5 * scale)
    assert all(module.training for module in model.modules())
    assert torch.equal(model[0][1].running_mean, statistics)


def test_methods_are_objects_and_names_are_short_for_them(tiny, image):
    pytest.importorskip("captum")
    by_name = relax.explain(tiny, image, method="smoothgrad", n_samples=8)
    by_object = relax.explain(tiny, image, method=SmoothGrad(n_samples=8))
    np.testing.assert_array_equal(by_name.importance, by_object.importance)
    assert by_object.settings["options"] == {"n_samples": 8, "noise": 0.15}
    with pytest.raises(relax.ArgumentError, match="in the method itself, got noise beside it"):
        relax.explain(tiny, image, method=SmoothGrad(n_samples=8), noise=0.1)
    with pytest.raises(AttributeError):
        SmoothGrad().n_samples = 3


def test_everything_is_checked_when_it_is_built(tiny):
    for arguments, words in (
        ({"method": "reluxe"}, "unknown method"),
        ({"fill": "sepia"}, "unknown fill"),
        ({"masks": "hexagons"}, "unknown kind of masks"),
        ({"design": 3}, "expected `design`"),
        ({"batch_size": 0}, "expected `batch_size`"),
        ({"precision": "int8"}, "expected `precision`"),
        ({"views": "some"}, "expected `views`"),
        ({"device": "nowhere"}, "cannot be used here"),
    ):
        with pytest.raises(relax.ArgumentError, match=words):
            relax.Explainer(tiny, **arguments)


def test_several_inputs_are_for_streams(tiny, image):
    with pytest.raises(relax.InputError, match="give them to stream"):
        relax.Explainer(tiny, n_masks=64)([image, image])
    with pytest.raises(relax.InputError, match="expected one input, got several"):
        relax.explain(tiny, ((image,), image))


def test_explain_shows_all_arguments():
    import inspect

    names = list(inspect.signature(relax.explain).parameters)
    assert names[:3] == ["encoder", "inputs", "against"]
    assert {"method", "n_masks", "seed", "masks", "fill", "options"} <= set(names)


def test_streams_are_checked_before_the_first_input(tiny):
    explainer = relax.Explainer(tiny, n_masks=64, method="relax")
    for sources, options in (
        ("a.jpg", {}),
        (5, {}),
        ([], {"errors": "ignore"}),
        ([], {"ahead": "2"}),
        ([], {"ahead": -1}),
    ):
        with pytest.raises(relax.ArgumentError, match="expected"):
            explainer.stream(sources, **options)


def test_an_object_of_views_is_compared_with_another_and_has_no_single_map():
    torch.manual_seed(0)
    one, other = ({"a": torch.rand(4), "b": torch.rand(3)} for _ in range(2))
    explainer = relax.Explainer(lambda views: torch.cat([views["a"], views["b"]], 1), other, n_masks=64)
    later = relax.Explainer(lambda views: torch.cat([views["a"], views["b"]], 1), n_masks=64)
    for key, e in explainer(one).items():
        np.testing.assert_array_equal(e.importance, later(one, other)[key].importance)
    with pytest.raises(relax.ArgumentError, match="of one view"):
        next(explainer.progressive(one))
