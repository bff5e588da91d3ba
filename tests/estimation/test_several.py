"""Runs of several kinds of masks and fills: none is left out, none is counted twice, and they can be repeated."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from torch import nn

import relax


def quadrants(batch):
    """Means of the quarters of a picture."""
    return nn.functional.adaptive_avg_pool2d(batch, 2).flatten(1) - 0.3


def test_uncertainty_is_that_under_one_fill_on_average_over_fills(image):
    """All 16 masks of the quarters, with each fill; and none for a part that is the whole picture."""
    side = image.shape[-1] // 2
    fills = [torch.full_like(image, value) for value in (0.0, 0.9)]
    own = quadrants(image[None])
    expected = []
    for value in (0.0, 0.9):
        masks = torch.tensor(list(itertools.product((0.0, 1.0), repeat=4))).view(-1, 2, 2)
        wide = masks.repeat_interleave(side, 1).repeat_interleave(side, 2)[:, None]
        scores = torch.cosine_similarity(quadrants(image * wide + value * (1 - wide)), own).double()
        shown = masks.flatten(1).double()
        means = scores @ shown / shown.sum(0)
        expected.append(scores.square() @ shown / shown.sum(0) - means.square())

    e = relax.explain(quadrants, image, masks=relax.PatchMasks(side), fill=fills, n_masks=2048)
    found = e.uncertainty.reshape(2, side, 2, side).mean((1, 3)).ravel()
    np.testing.assert_allclose(found, torch.stack(expected).mean(0), atol=0.002)

    whole = relax.explain(quadrants, image, masks=relax.PatchMasks(2 * side), fill=fills, n_masks=64)
    np.testing.assert_allclose(whole.uncertainty, 0, atol=1e-4)


def test_no_run_ends_before_every_fill_has_its_masks(tiny, image):
    fills = ["mean", "blur", "zero", "noise"]
    four = relax.explain(tiny, image, fill=fills, reliability=0.01)
    five = relax.explain(tiny, image, fill=[*fills, torch.full_like(image, 0.7)], reliability=0.01)
    assert four.n_masks == 256
    assert five.n_masks == 5 * 64
    assert five.neutral != four.neutral
    assert relax.explain(tiny, image, n_masks=2).n_masks == 4
    with pytest.warns(relax.RelaxWarning, match="less than a pair of masks for each kind and fill: 4"):
        assert relax.explain(tiny, image, max_masks=2).n_masks == 4


@pytest.mark.parametrize(
    "how",
    [
        {"max_masks": 300, "method": "relax"},
        {"fill": ["mean", "blur", "zero"], "masks": ["grid", "superpixels"], "max_masks": 200},
        {"method": "relax-crossfit", "fill": ["mean", "zero"], "max_masks": 250},
        {"method": "relax-gradient", "fill": ["mean", "blur", "zero"], "max_masks": 100},
        {"masks": relax.PatchMasks(14), "fill": "mean", "design": "exhaustive"},
    ],
)
def test_limits_are_repeated_with_a_run(tiny, image, how):
    e = relax.explain(tiny, image, **how)
    again = relax.explain(tiny, torch.from_numpy(e.input), **e.arguments())
    assert again.n_masks == e.n_masks
    np.testing.assert_allclose(again.importance, e.importance, atol=1e-5)


def test_all_masks_are_those_of_one_kind_and_fill(tiny, image):
    with pytest.raises(relax.ArgumentError, match="takes one kind of masks and one fill, got 1 and 2"):
        relax.explain(tiny, image, masks=relax.PatchMasks(14), design="exhaustive")
    with pytest.warns(relax.RelaxWarning, match="n_masks=7 has no effect: design='exhaustive' tries all"):
        relax.explain(tiny, image, masks=relax.PatchMasks(14), fill="mean", design="exhaustive", n_masks=7)
