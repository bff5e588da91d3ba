"""What users get wrong: one line, at once, in terms that they know."""

import warnings

import numpy as np
import pytest
import torch

import relax


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"similarity": lambda a, b: a.sum(1) * torch.nan}, "score that is NaN"),
        ({"similarity": lambda a, b: 3}, "tensor of one score a row, got int"),
        ({"method": 3}, "name of a method, got 3"),
        ({"method": "smoothgrad", "n_samples": "abc"}, "`n_samples` to be a whole number"),
        ({"method": "smoothgrad", "noise": "much"}, "`noise` to be a number"),
        ({"n_masks": True}, "`n_masks` to be an integer"),
        ({"batch_size": 3.5}, "`batch_size` to be 'auto' or a positive integer"),
        ({"fill": "nope"}, "or the path of a picture"),
        ({"fill": "other"}, "or the path of a picture"),
        ({"method": "occlusion", "window": 29}, "from 1 to 28"),
        ({"method": "occlusion", "window": 7, "stride": 9}, "from 1 to 7"),
        ({"fill": ["blur", "blur"]}, "expected different fills, got 'blur', 'blur'"),
    ],
)
def test_arguments(tiny, image, arguments, words):
    pytest.importorskip("captum")
    with pytest.raises(relax.RelaxError, match=words) as caught:
        relax.explain(tiny, image, **{"n_masks": None if "method" in arguments else 128, **arguments})
    assert "\n" not in str(caught.value)


def test_masks_that_are_none(tiny, image):
    plain = torch.rand(3, 28, 28, generator=torch.Generator().manual_seed(0))
    with pytest.raises(relax.ArgumentError, match="finds one segment"):
        relax.explain(tiny, plain, masks="superpixels", n_masks=128)
    for make in (lambda: relax.GridMasks(2.5), lambda: relax.GridMasks(7, keep="a")):
        with pytest.raises(relax.ArgumentError):
            make()


def test_a_number_of_masks_that_a_method_does_not_take_is_noted(tiny, image):
    with pytest.warns(relax.RelaxWarning, match="does not take n_masks"):
        relax.explain(tiny, image, method="lafam", n_masks=64)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"method": "lafam", "max_masks": 64}, r"method 'lafam' does not take max_masks; set .* by its own options"),
        ({"method": "lafam", "n_masks": 64, "reliability": 0.9}, "does not take n_masks and reliability; set"),
        ({"n_masks": 64, "max_masks": 9}, "n_masks=64 sets the number of masks; max_masks would stop an adaptive run"),
        ({"n_masks": 64, "max_masks": 9, "reliability": 0.9}, "max_masks and reliability would stop an adaptive run"),
    ],
)
def test_what_has_no_effect_on_the_number_of_masks_is_noted(tiny, arguments, words):
    with pytest.warns(relax.RelaxWarning, match=words):
        relax.Explainer(tiny, **arguments)


@pytest.mark.parametrize("arguments", [{"n_masks": 64}, {"max_masks": 64, "reliability": 0.9}, {"method": "lafam"}])
def test_what_has_an_effect_is_not_noted(tiny, arguments):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        relax.Explainer(tiny, **arguments)


def test_comparisons_give_each_method_the_arguments_that_it_takes(tiny, image):
    with warnings.catch_warnings():
        warnings.simplefilter("error", relax.RelaxWarning)
        found = relax.compare([tiny], image, ["relax", "lafam"], max_masks=256, reliability=0.5)
    assert found.explanations["TinyEncoder", "relax"].settings["stopping"] == {"reliability": 0.5, "max_masks": 256}
    assert found.explanations["TinyEncoder", "lafam"].settings["stopping"] is None
    with pytest.raises(relax.ArgumentError, match="options for 'smoothgrad', which is not among the methods: relax"):
        relax.compare([tiny], image, "relax", options={"smoothgrad": {"n_samples": 3}})


def test_a_difference_takes_no_reference(tiny, image):
    with pytest.raises(relax.ArgumentError, match="it takes no `against`"):
        relax.difference(tiny, image, image.flip(-1), against=image)


def test_representations_of_other_kinds(image):
    with pytest.raises(relax.EncoderError, match="complex"):
        relax.explain(lambda x: torch.fft.fft(x.flatten(1))[:, :4], image, n_masks=128)
    e = relax.explain(lambda x: x.flatten(1).numpy()[:, ::7], image, n_masks=256)
    expected = relax.explain(lambda x: x.flatten(1)[:, ::7], image, n_masks=256)
    np.testing.assert_array_equal(e.importance, expected.importance)


def test_gradients_are_there_inside_inference_mode(tiny, image):
    pytest.importorskip("captum")
    expected = relax.explain(tiny, image, method="saliency")
    with torch.inference_mode():
        inside = relax.explain(tiny, image * 1, method="saliency")
    np.testing.assert_allclose(inside.importance, expected.importance, rtol=1e-5)


def test_occlusion_by_units_removes_each_in_turn(tiny, image):
    masks = relax.PatchMasks(14)
    e = relax.explain(tiny, image, method="occlusion", window="units", masks=masks)
    without = image.repeat(4, 1, 1, 1)
    for number, (row, column) in enumerate(((0, 0), (0, 14), (14, 0), (14, 14))):
        without[number, :, row : row + 14, column : column + 14] = 0
    h = relax.Encoder(tiny).encode(torch.cat([image[None], without])).double()
    falls = 1 - torch.cosine_similarity(h[1:], h[:1])
    np.testing.assert_allclose(e.importance[[0, 0, 27, 27], [0, 27, 0, 27]], falls, atol=1e-6)


def test_comparisons_say_what_is_wrong_before_they_work(tiny, image):
    pytest.importorskip("captum")
    for arguments, words in (
        (([tiny], image, ["relax", "smothgrad"]), "unknown method 'smothgrad'"),
        (([tiny], image[None], ["relax"]), "takes one input"),
    ):
        with pytest.raises(relax.RelaxError, match=words):
            relax.compare(*arguments, n_masks=256)
    with pytest.raises(relax.ArgumentError, match="no option 'nsamples'"):
        relax.compare([tiny], image, "smoothgrad", options={"smoothgrad": {"nsamples": 3}})
    constant = relax.Encoder(lambda batch: torch.ones(len(batch), 3), name="constant")
    found = relax.compare([tiny, constant], image, "relax", n_masks=256)
    assert list(found.refused) == [("constant", "relax")]
    assert len(found.explanations) == 1


def test_files_that_cannot_be_written_are_named(tiny, image, tmp_path):
    e = relax.explain(tiny, image, n_masks=256)
    nowhere, file = tmp_path / "nowhere", tmp_path / "file"
    file.touch()
    match = relax.match(tiny, image, image.flip(-1), n_masks=256)
    comparison = relax.compare([tiny], image, "relax", n_masks=256)
    for write, path in (
        (e.save, nowhere / "e.npz"),
        (e.page, nowhere / "e.html"),
        (e.plot, nowhere / "e.png"),
        (match.page, nowhere / "m.html"),
        (match.plot, nowhere / "m.png"),
        (comparison.plot, nowhere / "c.png"),
        (match.save, file / "folder"),
    ):
        with pytest.raises(relax.ArgumentError) as caught:
            write(path)
        assert str(caught.value).startswith(f"{path}: cannot ")
        assert "\n" not in str(caught.value)
    (tmp_path / "text.npz").write_text("hello")
    with pytest.raises(relax.InputError) as caught:
        relax.Explanation.load(tmp_path / "text.npz")
    assert "pickle" not in str(caught.value)


def test_the_interfaces_of_the_ecosystem_are_attributes():
    pytest.importorskip("captum")
    assert relax.captum.Relax
    assert relax.quantus.explain_func("relax")
    assert relax.gradcam.SimilarityTarget
    assert issubclass(relax.errors.InputError, ValueError)
