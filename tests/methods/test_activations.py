"""Maps from activations and attention: by hand, and no hook survives."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

import relax


class Stages(nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.first, self.second = nn.Conv2d(3, 6, 3, stride=2), nn.Conv2d(6, 8, 3, stride=2)
        self.head = nn.Linear(8, 5)

    def forward(self, x):
        return self.head(self.second(self.first(x).relu()).relu().mean((2, 3)))


def enlarged(values, size=28):
    return F.interpolate(values[None, None].double(), size=(size, size), mode="bilinear", align_corners=False)[0, 0]


def test_lafam_is_the_mean_of_the_last_feature_map(image):
    model = Stages().eval()
    with torch.no_grad():
        first = model.first(image[None])
        second = model.second(first.relu())
    e = relax.explain(model, image, method="lafam")
    np.testing.assert_allclose(e.importance, enlarged(second[0].mean(0)), atol=1e-5)
    e = relax.explain(model, image, method="lafam", layer="first")
    np.testing.assert_allclose(e.importance, enlarged(first[0].mean(0)), atol=1e-5)
    assert e.uncertainty is None
    with pytest.raises(relax.ArgumentError, match="gives no uncertainty"):
        e.u_relax()


def test_grad_cam_by_hand(image):
    model = Stages().eval()
    own = model(image[None]).detach()[0]
    features = model.second(model.first(image[None]).relu())
    score = (model.head(features.relu().mean((2, 3))) @ own).sum()
    (gradient,) = torch.autograd.grad(score, features)
    expected = (gradient[0].mean((1, 2))[:, None, None] * features[0]).sum(0).clamp_min(0).detach()
    e = relax.explain(model, image, method="grad-cam")
    np.testing.assert_allclose(e.importance, enlarged(expected), atol=1e-4, rtol=1e-3)


@pytest.mark.parametrize("method", ["lafam", "grad-cam"])
def test_hooks_are_removed_even_after_an_error(image, method):
    class Fails(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner, self.calls = Stages(), 0

        def forward(self, x):
            self.calls += 1
            out = self.inner(x)
            if self.calls > 1:
                raise RuntimeError("no")
            return out

    for model, error in ((Stages(), None), (Fails(), relax.EncoderError)):
        if error is None:
            relax.explain(model, image, method=method)
        else:
            with pytest.raises(error):
                relax.explain(model, image, method=method)
        assert not any(module._forward_hooks for module in model.modules())


def test_what_cannot_be_read_is_said(image):
    for method in ("lafam", "grad-cam", "attention-rollout"):
        with pytest.raises(relax.ArgumentError, match="need forwards only"):
            relax.explain(lambda x: x.mean((2, 3)), image, method=method)
        with pytest.raises(relax.ArgumentError, match="need forwards only"):
            relax.explain(nn.Sequential(nn.Flatten(), nn.Linear(3 * 28 * 28, 4)), image, method=method)
    with pytest.raises(relax.ArgumentError, match="has no module 'third'"):
        relax.explain(Stages(), image, method="lafam", layer="third")


@pytest.fixture
def vit():
    timm = pytest.importorskip("timm")
    torch.manual_seed(0)
    model = timm.create_model("vit_tiny_patch16_224", num_classes=0, img_size=64, depth=3).eval()
    return relax.Encoder(model, name="vit", patch=16)


def test_tokens_of_a_vit_are_laid_out_on_their_grid(vit):
    x = torch.rand(3, 64, 64, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        tokens = vit.model.forward_features(x[None])[0, 1:]
    e = relax.explain(vit, x, method="lafam")
    np.testing.assert_allclose(e.importance, enlarged(tokens.mean(1).view(4, 4), 64), atol=1e-4)
    assert relax.explain(vit, x, method="grad-cam").importance.max() > 0


def test_attention_rollout_by_hand(vit):
    x = torch.rand(3, 64, 64, generator=torch.Generator().manual_seed(0))
    kept = []
    for block in vit.model.blocks:
        block.attn.fused_attn = False
        block.attn.attn_drop.register_forward_hook(lambda _m, _i, output: kept.append(output[0].mean(0).double()))
    with torch.no_grad():
        vit.model(x[None])
    for block in vit.model.blocks:
        block.attn.attn_drop._forward_hooks.clear()
        block.attn.fused_attn = True
    rollout = torch.eye(17, dtype=torch.float64)
    for attention in kept:
        rollout = (0.5 * attention + 0.5 * torch.eye(17)) @ rollout
    e = relax.explain(vit, x, method="attention-rollout")
    np.testing.assert_allclose(e.importance, enlarged(rollout[0, 1:].view(4, 4), 64), atol=1e-6)
    assert all(block.attn.fused_attn for block in vit.model.blocks)
    assert not any(module._forward_hooks for module in vit.model.modules())


def test_attention_rollout_of_transformers_equals_that_of_its_attentions(tmp_path):
    transformers = pytest.importorskip("transformers")
    config = transformers.ViTConfig(
        hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=64, image_size=32, patch_size=8
    )
    torch.manual_seed(0)
    model = transformers.ViTModel(config).eval()
    implementation = model.config._attn_implementation
    x = torch.rand(3, 32, 32)
    e = relax.explain(relax.Encoder(model, patch=8), x, method="attention-rollout")
    assert model.config._attn_implementation == implementation
    model.set_attn_implementation("eager")
    with torch.no_grad():
        attentions = model(x[None], output_attentions=True).attentions
    rollout = torch.eye(17, dtype=torch.float64)
    for attention in attentions:
        rollout = (0.5 * attention[0].mean(0).double() + 0.5 * torch.eye(17)) @ rollout
    np.testing.assert_allclose(e.importance, enlarged(rollout[0, 1:].view(4, 4), 32), atol=1e-6)
