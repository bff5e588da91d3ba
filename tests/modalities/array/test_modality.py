"""Signals and volumes: closed forms, blocks that tile, pictures that can be drawn."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

import relax
from relax.modalities.array.blocks import BlockMasks


@pytest.mark.parametrize("shape", [(2, 40), (1, 12, 10, 8), (3, 6, 6)])
def test_blocks_of_a_linear_encoder_have_a_closed_form(shape):
    """s = ⟨W x, W x⟩ is a sum over blocks: the effect of each is half its own part, exactly, in one fold-over block."""
    generator = torch.Generator().manual_seed(0)
    weight = torch.randn(5, *shape, generator=generator)
    x = torch.randn(shape, generator=generator)
    encoder = relax.Encoder(lambda batch: torch.einsum("n...,d...->nd", batch, weight), modality="array")
    e = relax.explain(encoder, x, method="relax", similarity="dot", masks=BlockMasks(cells=2), fill="zero", n_masks=256)
    representation = torch.einsum("...,d...->d", x, weight)
    parts = (x * torch.einsum("d,d...->...", representation, weight)).sum(0)
    labels = BlockMasks(cells=2).over(x).labels
    sums = torch.zeros(int(labels.max()) + 1).index_add_(0, labels.flatten(), parts.flatten())
    np.testing.assert_allclose(e.effect, (sums / 2)[labels], rtol=1e-3, atol=1e-3)
    assert e.importance.shape == shape[1:]


def test_blocks_tile_an_array_evenly():
    labels = BlockMasks(cells=(3, 4)).over(torch.zeros(1, 9, 8)).labels
    assert torch.bincount(labels.flatten()).tolist() == [6] * 12
    assert BlockMasks().over(torch.zeros(1, 200)).n_units == 64
    assert BlockMasks().over(torch.zeros(2, 16, 16, 16)).n_units == 64
    assert BlockMasks(cells=50).over(torch.zeros(1, 7)).n_units == 7
    with pytest.raises(relax.ArgumentError, match="each of 2 dimensions"):
        BlockMasks(cells=(3,)).over(torch.zeros(1, 9, 8))


def test_models_of_signals_and_volumes_need_no_word_of_their_modality(tmp_path):
    torch.manual_seed(0)
    for layer, x in ((nn.Conv1d(2, 6, 3), torch.rand(2, 50)), (nn.Conv3d(1, 6, 3), torch.rand(1, 12, 12, 12))):
        model = nn.Sequential(layer, nn.Tanh(), nn.Flatten())
        e = relax.explain(model, x, n_masks=256)
        assert e.settings["modality"] == "array"
        assert e.importance.shape == tuple(x.shape[1:])
        e.save(tmp_path / "e.npz")
        relax.Explanation.load(tmp_path / "e.npz").plot(tmp_path / "e.png")
        assert (tmp_path / "e.png").stat().st_size > 5000
        several = relax.explain(model, [x, x.flip(1)], n_masks=256)
        np.testing.assert_allclose(several[0].importance, e.importance, atol=1e-6)


def test_a_signal_for_an_encoder_of_images_is_told_what_to_do():
    with pytest.raises(relax.InputError, match="modality='array'"):
        relax.explain(nn.Flatten(), torch.rand(2, 50))
