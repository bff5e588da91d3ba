"""Dropped tokens: all kept is the whole forward, some kept is a forward on those."""

import numpy as np
import pytest
import torch

import relax
from relax.encoders.tokens import Drop, only_patches, token_stage
from relax.modalities.masks import Block


def of_timm():
    timm = pytest.importorskip("timm")
    torch.manual_seed(0)
    return relax.Encoder(
        timm.create_model("vit_tiny_patch16_224", num_classes=0, img_size=64, depth=2).eval(), patch=16
    )


def of_transformers():
    transformers = pytest.importorskip("transformers")
    torch.manual_seed(0)
    config = transformers.Dinov2Config(
        hidden_size=48, num_hidden_layers=2, num_attention_heads=2, image_size=64, patch_size=16
    )
    return relax.Encoder(transformers.Dinov2Model(config).eval(), patch=16)


@pytest.fixture(params=[of_timm, of_transformers], ids=["timm", "transformers"])
def vit(request):
    return request.param()


X = torch.rand(3, 64, 64, generator=torch.Generator().manual_seed(0))


def test_all_tokens_kept_is_the_whole_forward(vit):
    everything = torch.arange(16)[None]
    with only_patches(token_stage(vit), everything, 16):
        kept = vit.encode(X[None])
    torch.testing.assert_close(kept, vit.encode(X[None]), atol=1e-5, rtol=1e-5)
    assert not any(module._forward_hooks for module in vit.model.modules())


def dropped(session, x, patches, block):
    prepared = relax.Prepared({"image": x})
    return Drop().bind(prepared).encode(session, prepared, patches.over(x), block)


def test_dropped_patches_are_not_seen(vit):
    """What is in a dropped patch makes no difference; rows come back in their own order."""
    patches = relax.PatchMasks(16)
    generator = torch.Generator().manual_seed(1)
    bits = torch.bernoulli(torch.full((12, 16), 0.5), generator=generator)
    block = Block(bits, torch.zeros(1, 2, dtype=torch.long))
    masks = patches.over(X).masks(block)
    with vit.session(precision="float32", batch_size=5) as session:
        plain = dropped(session, X, patches, block)
        for row in range(12):
            changed = torch.where(masks[row] > 0, X, torch.randn_like(X))
            alone = dropped(session, changed, patches, block[row : row + 1])
            torch.testing.assert_close(alone[0], plain[row], atol=1e-4, rtol=1e-4)


def test_relax_with_dropped_tokens(vit):
    e = relax.explain(vit, X, fill="drop", masks="patches", n_masks=256)
    assert e.n_masks == 256
    assert e.settings["fill"] == {"name": "drop"}
    assert e.settings["cost"]["forwards"] == 257
    again = relax.explain(vit, torch.from_numpy(e.input), **e.arguments())
    np.testing.assert_allclose(again.importance, e.importance, atol=1e-5)


def test_what_has_no_tokens_to_drop_says_so(vit, tiny, image):
    with pytest.raises(relax.ArgumentError, match="needs a vision transformer"):
        relax.explain(tiny, image, fill="drop", masks=relax.PatchMasks(14))
    with pytest.raises(relax.ArgumentError, match="needs masks='patches'"):
        relax.explain(vit, X, fill="drop")
