"""What tells two inputs apart."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import relax


class Patches(torch.nn.Module):
    """``(N, 3, 28, 28)`` to the mean of each 4x4 patch, and a constant."""

    def forward(self, batch):
        means = torch.nn.functional.avg_pool2d(batch, 4).flatten(1)
        return torch.cat([means, torch.ones(len(batch), 1)], dim=1)


@pytest.fixture
def pair():
    a = torch.rand(3, 28, 28, generator=torch.Generator().manual_seed(0))
    b = a.clone()
    b[:, 8:16, 16:24] = 1 - b[:, 8:16, 16:24]
    b[:, 8:16, 16:24] *= 3
    return a, b


def test_the_effect_is_that_of_masks_on_both(pair):
    """Against every mask by hand: mean cosine where a patch is shown, less the mean."""
    a, b = pair
    found = relax.difference(Patches(), a, b, masks=relax.PatchMasks(7), fill="mean", n_masks=4096, seed=0)
    masks, scores = [], []
    generator = torch.Generator().manual_seed(5)
    for _ in range(4096):
        bits = torch.rand(4, 4, generator=generator).round()
        mask = torch.kron(bits, torch.ones(7, 7))
        one, other = (Patches()((x * mask)[None])[0] for x in (a, b))
        masks.append(mask)
        scores.append(torch.cosine_similarity(one, other, dim=0))
    masks, scores = torch.stack(masks), torch.stack(scores)
    expected = (masks * scores[:, None, None]).sum(0) / masks.sum(0) - scores.mean()
    assert np.abs(found.explanation.effect - expected.numpy()).max() < 0.15 * float(expected.abs().max())
    assert found.similarity == pytest.approx(
        float(torch.cosine_similarity(Patches()(a[None]), Patches()(b[None]))), abs=1e-6
    )


def test_what_differs_is_negative_and_found(pair, tmp_path):
    found = relax.difference(Patches(), *pair, masks=relax.PatchMasks(4), n_masks=1024)
    effect = found.explanation.effect
    assert found.found
    inside = np.zeros((28, 28), dtype=bool)
    inside[8:16, 16:24] = True
    assert effect[inside].max() < effect[~inside].min()
    found.plot(tmp_path / "difference.png")
    assert (tmp_path / "difference.png").exists()


def test_inputs_that_cannot_be_told_apart_or_laid_over_each_other(pair):
    a, _ = pair
    with pytest.raises(relax.InputError, match="identical after preprocessing"):
        relax.difference(Patches(), a, a.clone())
    with pytest.raises(relax.InputError, match="one size"):
        relax.difference(Patches(), a, a[:, :24])
