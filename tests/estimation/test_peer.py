"""The authors' package, relax-xai: the same masks give the same maps, its random masks the same converged map."""

import numpy as np
import pytest
import torch

import relax
from relax.estimation.designs import DESIGNS
from relax.estimation.moments import Moments
from relax.modalities.masks import GridMasks
from relax.references import Vectors
from relax.references.similarity import cosine

peer = pytest.importorskip("relax_xai", reason="relax-xai (extra: bench) is not installed")


def test_the_same_masks_give_the_same_maps(tiny, image, monkeypatch):
    from relax_xai import relax as module

    units = GridMasks(7, offsets="relax-xai").over(image)
    blocks = [DESIGNS["independent"].block(index, units, 0.5, 0) for index in range(4)]
    masks = [units.masks(block) for block in blocks]
    queue = iter(masks)
    monkeypatch.setattr(module, "mask_generator", lambda *_, **__: iter([next(queue)[:, None]]))
    with torch.no_grad():
        theirs = module.RELAX(image[None], tiny, batch_size=128, num_batches=4)
        theirs()

        encoder = relax.Encoder(tiny)
        own = encoder.encode(image[None])[0]
        moments = Moments(units.shape)
        for block, mask in zip(blocks, masks, strict=True):
            moments.update(units, block, Vectors(own[None], cosine).score(encoder.encode(mask[:, None] * image)))
    np.testing.assert_allclose(moments.importance(), theirs.importance, atol=1e-5)
    np.testing.assert_allclose(moments.uncertainty(), theirs.uncertainty / theirs.sum_of_weights, atol=1e-4)


def test_its_own_random_masks_converge_to_the_same_map(tiny, image):
    from relax_xai.relax import RELAX

    torch.manual_seed(0)
    with torch.no_grad():
        theirs = RELAX(image[None], tiny, batch_size=500, num_batches=120)
        theirs()
    e = relax.explain(
        relax.Encoder(tiny), image, method="relax", masks=GridMasks(7, offsets="relax-xai"), n_masks=20_000
    )
    assert np.corrcoef(e.importance.ravel(), theirs.importance.numpy().ravel())[0, 1] >= 0.999
    uncertainty = (theirs.uncertainty / theirs.sum_of_weights).numpy()
    assert np.corrcoef(e.uncertainty.ravel(), uncertainty.ravel())[0, 1] >= 0.99
