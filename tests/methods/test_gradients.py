"""Captum's methods on the score: equal to direct calls, to closed forms, and nothing left behind."""

import numpy as np
import pytest
import torch
from torch import nn

import relax

attr = pytest.importorskip("captum.attr", reason="captum (extra: methods) is not installed")

SIGNED = ["input-x-gradient", "integrated-gradients", "gradient-shap", "guided-backprop", "deeplift"]
GRADIENT = ["saliency", "smoothgrad", "vargrad", *SIGNED]


class Linear(nn.Module):
    def __init__(self):
        super().__init__()
        generator = torch.Generator().manual_seed(0)
        self.weight = nn.Parameter(torch.randn(5, 3 * 8 * 8, generator=generator))

    def forward(self, x):
        return x.flatten(1) @ self.weight.T


@pytest.fixture
def x():
    return torch.rand(3, 8, 8, generator=torch.Generator().manual_seed(1))


def test_label_free_saliency_of_a_linear_encoder_has_a_closed_form(x):
    model = Linear()
    gradient = (model.weight.T @ (model.weight @ x.flatten())).view(3, 8, 8).detach().numpy()
    e = relax.explain(model, x, method="saliency")
    np.testing.assert_allclose(e.importance, np.abs(gradient).sum(0), rtol=1e-4)
    np.testing.assert_allclose(
        relax.explain(model, x, method="smoothgrad", n_samples=4).importance, np.abs(gradient).sum(0), rtol=1e-4
    )
    expected = (gradient * x.numpy()).sum(0)
    for method in ("input-x-gradient", "integrated-gradients"):
        e = relax.explain(model, x, method=method, fill="zero")
        np.testing.assert_allclose(e.importance, expected, rtol=1e-3, atol=1e-3)
        assert e.signed
    np.testing.assert_allclose(e.importance.sum(), e.score, rtol=1e-4)  # complete: f(0) = 0


def test_methods_equal_direct_calls_of_captum(tiny, image):
    scorer = relax.similarity_forward(tiny, image)
    batch = image[None]

    def close(method, expected, **options):
        e = relax.explain(tiny, image, method=method, **options)
        np.testing.assert_allclose(e.importance, expected[0].detach().sum(0), rtol=1e-3, atol=1e-5)

    close(
        "integrated-gradients",
        attr.IntegratedGradients(scorer).attribute(batch, torch.zeros_like(batch), n_steps=20),
        n_steps=20,
    )
    close("saliency", attr.Saliency(scorer).attribute(batch))
    close("guided-backprop", attr.GuidedBackprop(scorer).attribute(batch))
    close("deeplift", attr.DeepLift(scorer).attribute(batch, torch.zeros_like(batch)))
    torch.manual_seed(3)
    deviation = 0.15 * float(image.max() - image.min())
    tunnel = attr.NoiseTunnel(attr.Saliency(scorer))
    expected = tunnel.attribute(batch, nt_type="smoothgrad", nt_samples=8, stdevs=deviation, abs=False)
    close("smoothgrad", expected.abs(), n_samples=8, seed=3)


def test_expected_gradients_are_captums_on_average(tiny, image):
    """Draws are our own, so that the global random state plays no part: many of them agree."""
    scorer, batch = relax.similarity_forward(tiny, image), image[None]
    deviation = 0.1 * float(image.max() - image.min())
    expected = attr.GradientShap(scorer).attribute(batch, torch.zeros_like(batch), n_samples=1000, stdevs=deviation)
    e = relax.explain(tiny, image, method="gradient-shap", n_samples=1000)
    assert np.corrcoef(e.importance.ravel(), expected[0].detach().sum(0).numpy().ravel())[0, 1] > 0.98
    np.testing.assert_allclose(e.importance.sum(), float(expected.detach().sum()), rtol=0.1)


def test_a_batch_with_a_reference_each_equals_single_calls_in_both_row_orders(tiny, image):
    """Integrated gradients repeat rows as a whole, noise tunnels each row: references must follow both."""
    images = torch.stack([image, image.flip(1), image.roll(3, 2), 0.5 * image])
    vectors = relax.Encoder(tiny).encode(images)
    scorer = relax.similarity_forward(tiny, image)
    together = attr.IntegratedGradients(scorer).attribute(images, n_steps=16, additional_forward_args=(vectors,))
    tunnel = attr.NoiseTunnel(attr.Saliency(scorer))
    torch.manual_seed(0)
    noisy = tunnel.attribute(images, nt_samples=3, stdevs=1e-6, additional_forward_args=(vectors,))
    for one, vector, result, smooth in zip(images, vectors, together, noisy, strict=True):
        single = relax.similarity_forward(tiny, vector)
        torch.testing.assert_close(
            attr.IntegratedGradients(single).attribute(one[None], n_steps=16)[0], result, atol=1e-5, rtol=1e-3
        )
        torch.testing.assert_close(attr.Saliency(single).attribute(one[None])[0], smooth, atol=1e-3, rtol=1e-2)


def test_smoothgrad_has_a_spread_and_an_error(tiny, image):
    few, many = (relax.explain(tiny, image, method="smoothgrad", n_samples=n) for n in (16, 256))
    np.testing.assert_allclose(many.uncertainty.mean(), few.uncertainty.mean(), rtol=0.3)
    np.testing.assert_allclose(many.standard_error.mean(), few.standard_error.mean() / 4, rtol=0.3)
    np.testing.assert_allclose(
        relax.explain(tiny, image, method="vargrad", n_samples=16).importance, few.uncertainty, rtol=1e-6
    )


@pytest.mark.parametrize("method", GRADIENT)
def test_everything_is_left_as_found(tiny, image, method):
    tiny.train()
    tiny.net[2].inplace = True
    model = nn.Sequential(tiny, nn.ReLU6())
    before = {name: value.clone() for name, value in model.state_dict().items()}
    torch.manual_seed(1)
    np.random.seed(1)
    expected = (torch.rand(1), np.random.rand())
    torch.manual_seed(1)
    np.random.seed(1)
    relax.explain(model, image, method=method)
    assert (torch.rand(1), np.random.rand()) == expected
    assert isinstance(model[1], nn.ReLU6)
    assert tiny.net[2].inplace
    assert all(module.training for module in model.modules())
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert all(p.grad is None for p in model.parameters())
    assert not any(m._forward_hooks or m._forward_pre_hooks or m._backward_hooks for m in model.modules())


def test_relu6_is_relu_and_a_cap_for_captum(image):
    """Guided backpropagation and DeepLIFT know ReLU: on inputs that never reach 6, ReLU6 must give what ReLU gives."""
    torch.manual_seed(0)
    first, last = nn.Conv2d(3, 4, 3), nn.Conv2d(4, 5, 3)
    plain, capped = nn.Sequential(first, nn.ReLU(), last), nn.Sequential(first, nn.ReLU6(), last)
    for method in ("guided-backprop", "deeplift"):
        a, b = (relax.explain(model, image, method=method) for model in (plain, capped))
        np.testing.assert_allclose(a.importance, b.importance, rtol=1e-4, atol=1e-5)


def test_cost_counts_forwards_and_backwards(tiny, image):
    cost = relax.explain(tiny, image, method="integrated-gradients", n_steps=20).settings["cost"]
    assert (cost["forwards"], cost["backwards"]) == (21, 20)
    cost = relax.explain(tiny, image, method="saliency").settings["cost"]
    assert (cost["forwards"], cost["backwards"]) == (2, 1)


def test_the_cosine_to_itself_has_no_gradient_and_that_is_said(tiny, image):
    with pytest.raises(relax.ArgumentError, match="similarity='dot'"):
        relax.explain(tiny, image, method="saliency", similarity="cosine")
    relax.explain(tiny, image, method="saliency", similarity="cosine", against=image.flip(1))


@pytest.mark.parametrize("method", ["saliency", "smoothgrad", "integrated-gradients"])
def test_encoders_without_gradients_say_what_can_be_done(image, method):
    def black_box(x):
        return torch.from_numpy(x.detach().numpy().mean((2, 3)))

    with pytest.raises(relax.ArgumentError, match="gives no gradients; relax, "):
        relax.explain(black_box, image, method=method)


@pytest.mark.parametrize("method", ["guided-backprop", "deeplift"])
def test_methods_that_need_a_module_say_so(image, method):
    with pytest.raises(relax.ArgumentError, match=r"needs an nn\.Module"):
        relax.explain(lambda x: x.mean((2, 3)), image, method=method)


def test_deeplift_refuses_modules_that_are_used_twice(image):
    class Twice(nn.Module):
        def __init__(self):
            super().__init__()
            self.convolution, self.relu = nn.Conv2d(3, 3, 3), nn.ReLU()

        def forward(self, x):
            return self.relu(self.convolution(self.relu(self.convolution(x))))

    model = Twice()
    with pytest.raises(relax.ArgumentError, match="each activation module to be used once"):
        relax.explain(model, image, method="deeplift")
    assert not model.relu._forward_pre_hooks


@pytest.mark.parametrize("method", ["saliency", "smoothgrad", "integrated-gradients", "random"])
def test_methods_that_use_no_masks_need_none_that_fit(method):
    """Neither a grid that is finer than the input nor a keep probability that the design cannot serve."""
    small = nn.Sequential(nn.Flatten(), nn.Linear(75, 4), nn.Tanh())
    x = torch.rand(3, 5, 5, generator=torch.Generator().manual_seed(1))
    e = relax.explain(small, x, method=method, masks=relax.GridMasks(7, keep=0.3), similarity="dot")
    assert e.importance.shape == (5, 5)
    with pytest.raises(relax.ArgumentError, match="does not fit"):
        relax.explain(small, x, similarity="dot")
