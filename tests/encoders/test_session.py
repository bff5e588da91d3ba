"""Models as people have them: what the session hands them, and what it makes of what they return."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import relax


class Plain(nn.Module):
    def __init__(self, channels: int = 3) -> None:
        super().__init__()
        with torch.random.fork_rng():
            torch.manual_seed(0)
            self.layer = nn.Conv2d(channels, 8, 3)

    def forward(self, x: Tensor) -> Tensor:
        return torch.tanh(self.layer(x)).mean((2, 3))


class InPlace(Plain):
    """Preprocesses its input where it lies, as many published models do."""

    def forward(self, x: Tensor) -> Tensor:
        x.sub_(0.5).div_(0.2)
        return super().forward(x)


class OutOfPlace(Plain):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward((x - 0.5) / 0.2)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(
    "method", ["relax", "relax-regression", "saliency", "smoothgrad", "occlusion", "kernel-shap", "lafam"]
)
def test_an_encoder_that_works_in_place_changes_nothing_that_is_kept(channels, method):
    pytest.importorskip("captum")
    x = torch.rand(channels, 28, 28, generator=torch.Generator().manual_seed(1))
    x = x.contiguous(memory_format=torch.contiguous_format)
    before = x.clone()
    options = {"n_masks": 256} if method in ("relax", "relax-regression") else {}
    found = relax.explain(InPlace(channels), x, method=method, precision="float32", **options)
    expected = relax.explain(OutOfPlace(channels), x, method=method, precision="float32", **options)
    assert torch.equal(x, before)
    np.testing.assert_array_equal(found.input, before.numpy())
    np.testing.assert_allclose(found.importance, expected.importance, atol=1e-6 * np.abs(expected.importance).max())


@dataclass
class Output:
    embedding: Tensor
    n_tokens: int = 3


class AsDataclass(Plain):
    def forward(self, x: Tensor) -> Output:
        return Output(super().forward(x))


class AsSparse(Plain):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x).to_sparse()


class Differentiates(Plain):
    """Needs gradients inside its forward."""

    def forward(self, x: Tensor) -> Tensor:
        x = x.clone().requires_grad_()
        (gradient,) = torch.autograd.grad(super().forward(x).square().sum(), x)
        return gradient.flatten(1)[:, ::97] + x.flatten(1)[:, ::97].detach()


def exported() -> nn.Module:
    shapes = ({0: torch.export.Dim("batch")},)
    return torch.export.export(Plain().eval(), (torch.rand(2, 3, 28, 28),), dynamic_shapes=shapes).module()


MODELS = {
    "frozen": lambda: torch.jit.freeze(torch.jit.script(Plain().eval())),
    "scripted": lambda: torch.jit.script(Plain().eval()),
    "exported": exported,
    "compiled": lambda: torch.compile(Plain().eval(), backend="eager"),
    "dataclass": AsDataclass,
    "sparse": AsSparse,
}


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_models_in_other_forms_give_the_map_of_the_plain_one(name, image):
    expected = relax.explain(Plain(), image, method="relax", n_masks=256)
    found = relax.explain(MODELS[name](), image, method="relax", n_masks=256)
    np.testing.assert_allclose(found.importance, expected.importance, atol=1e-5)


def test_a_model_that_differentiates_inside_is_served(image):
    e = relax.explain(Differentiates(), image, method="relax", n_masks=256)
    assert e.importance.std() > 0
    assert torch.is_grad_enabled()


class OneAtATime(Plain):
    def forward(self, x: Tensor) -> Tensor:
        if len(x) != 1:
            raise ValueError("this model was exported for a single picture")
        return super().forward(x)


class WithoutBatch(Plain):
    """Returns (D,) for a batch of one."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x)[0]


@pytest.mark.parametrize("model", [OneAtATime, WithoutBatch])
def test_a_model_of_single_rows_is_called_row_by_row_and_that_is_said_once(model, image):
    expected = relax.explain(Plain(), image, method="relax", n_masks=256)
    with pytest.warns(relax.RelaxWarning, match="one input at a time") as noted:
        found = relax.explain(model(), [image, image], method="relax", n_masks=256)
    assert len([n for n in noted if "one input at a time" in str(n.message)]) == 1
    for e in found:
        np.testing.assert_allclose(e.importance, expected.importance, atol=1e-5)


class Fails(nn.Module):
    def __init__(self, error: BaseException) -> None:
        super().__init__()
        self.error = error

    def forward(self, x: Tensor) -> Tensor:
        raise self.error


@pytest.mark.parametrize(
    ("error", "kind", "words", "advice"),
    [
        (KeyError("b"), relax.EncoderError, "KeyError: 'b'", False),
        (AttributeError("no such thing"), relax.EncoderError, "AttributeError: no such thing", False),
        (RuntimeError("weights are not loaded"), relax.EncoderError, "weights are not loaded", False),
        (RuntimeError("CUDA error: an illegal memory access"), relax.EncoderError, "failed on its device", False),
        (RuntimeError("mat1 and mat2 shapes cannot be multiplied"), relax.InputError, "mat1 and mat2", True),
        (RuntimeError("two\nlines of text"), relax.EncoderError, "two", False),
    ],
)
def test_what_a_model_says_is_said_and_advice_needs_evidence(image, error, kind, words, advice):
    with pytest.raises(kind, match=words) as caught:
        relax.explain(Fails(error), image, n_masks=64)
    assert ("size and type" in str(caught.value)) == advice
    assert "\n" not in str(caught.value)


def test_a_transform_that_fails_names_the_picture():
    def transform(picture):
        raise KeyError("scale")

    with pytest.raises(relax.InputError, match="array: the encoder's transform failed: KeyError: 'scale'"):
        relax.explain(relax.Encoder(Plain(), transform), np.zeros((20, 20, 3), np.uint8))


def test_models_without_weights_are_refused(image):
    with pytest.raises(relax.EncoderError, match="meta device"):
        relax.explain(Plain().to("meta"), image)


@pytest.mark.parametrize("method", ["grad-cam", "lafam", "guided-backprop", "attention-rollout"])
def test_what_looks_inside_a_model_says_that_scripted_ones_hide_it(method, image):
    with pytest.raises(relax.ArgumentError, match="scripted or compiled"):
        relax.explain(torch.jit.script(Plain().eval()), image, method=method)


@pytest.mark.filterwarnings("error")
def test_limits_of_an_adaptive_run_may_be_of_numpy_and_too_small_ones_are_said(image):
    relax.explain(Plain(), image, method="relax", reliability=np.float32(0.9), max_masks=np.int64(500))
    with pytest.raises(relax.RelaxWarning, match="max_masks=1 is less than"):
        relax.explain(Plain(), image, max_masks=1)


def test_the_mean_of_an_input_that_is_not_normalised_is_its_own():
    x = torch.rand(3, 20, 20, generator=torch.Generator().manual_seed(0))
    plain = relax.Encoder(Plain())
    fill = relax.fills.ensure("mean")
    np.testing.assert_allclose(fill.background(x, plain, 0)[:, 3, 4], x.mean((1, 2)), rtol=1e-6)
    assert not fill.background(4 * x - 2, plain, 0).any()  # normalised by the looks of it
    normalising = relax.Encoder(Plain(), relax.ImageTransform(size=(20, 20)))
    assert not fill.background(x, normalising, 0).any()  # zero is the mean of the data there
