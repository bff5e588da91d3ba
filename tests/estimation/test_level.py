"""The mean score of a stratum, and the error that is stated of it."""

import numpy as np
import pytest
import torch

import relax
from relax.estimation.designs import FoldOver
from relax.estimation.observed import Observed, _left
from relax.modalities.masks import GridMasks

N = 16


@pytest.fixture(scope="module")
def units():
    return GridMasks(4).over(torch.zeros(3, 32, 32))


@pytest.fixture(scope="module")
def interactions():
    return torch.randn(N, N, generator=torch.Generator().manual_seed(0)).double().triu(1)


def even(bits, interactions):
    """A score of interactions of two units only, the same for a mask and its complement."""
    signs = 2 * bits.double() - 1
    return ((signs @ interactions) * signs).sum(1)


def level_of(blocks, scores, net):
    item = Observed(1.0, 0.5, torch.zeros(0, N + 3).double(), net=net)
    for block, score in zip(blocks, scores, strict=True):
        item.add(block.bits.double() - 0.5, score, block.bits)
    return item


def test_a_whole_orthogonal_array_leaves_nothing_of_interactions_of_two_units(units, interactions):
    block = FoldOver().block(0, units, 0.5, 3)
    assert _left(block.bits[: len(block) // 2]) == 0
    item = level_of([block], [even(block.bits, interactions)], net=1)
    assert item.level == pytest.approx(0, abs=1e-12)  # the mean over all masks


@pytest.mark.parametrize("size", [8, 16, 24])
def test_what_balance_leaves_is_the_variance_of_the_mean_in_that_of_independent_masks(units, interactions, size):
    blocks = [FoldOver(size).block(0, units, 0.5, seed) for seed in range(400)]
    means = np.array([float(even(block.bits, interactions).mean()) for block in blocks])
    independent = float(interactions.square().sum()) / (size / 2)
    left = np.mean([_left(block.bits[: size // 2]) for block in blocks])
    assert means.var() / independent == pytest.approx(left, rel=0.25)
    assert left == pytest.approx((1 - size / 32) * 16 / 15)  # pairs drawn without replacement from 16


def test_one_block_has_the_variance_of_independent_pairs(units, interactions):
    block = FoldOver(16).block(0, units, 0.5, 0)
    scores = even(block.bits, interactions)
    assert level_of([block], [scores], net=4).level_variance() == pytest.approx(float(scores[:8].var()) / 8)


@pytest.mark.parametrize("slope", [0.0, 2.0, 8.0])
@pytest.mark.parametrize("n_blocks", [4, 8])
def test_stated_variance_of_the_level_is_the_true_one(units, interactions, slope, n_blocks):
    """Scores with interactions and a slope in the placement, which a net of four placements mostly cancels."""
    errors, stated = [], []
    for seed in range(300):
        blocks = [FoldOver(16).block(index, units, 0.5, seed) for index in range(n_blocks)]
        where = [block.placements.double().sum() / 8 - 0.875 for block in blocks]  # two of 0 to 7, whose mean is 0
        scores = [even(b.bits, interactions) + slope * w for b, w in zip(blocks, where, strict=True)]
        item = level_of(blocks, scores, net=4)
        errors.append(item.level)
        stated.append(item.level_variance())
    assert 0.9 < np.mean(stated) / np.mean(np.square(errors)) < 1.45


@pytest.mark.parametrize(
    ("masks", "design", "net"), [("grid", "foldover", 4), ("grid", "independent", 1), ("fixed", "foldover", 1)]
)
def test_only_placements_of_units_that_move_form_a_net(tiny, image, masks, design, net):
    kind = relax.PatchMasks(7) if masks == "fixed" else relax.GridMasks(4)
    seen = []
    explainer = relax.Explainer(tiny, masks=kind, fill="mean", design=design, n_masks=128)
    explainer.run(image, watch=[lambda tried: seen.append(tried.estimator.strata[tried.number].net)])
    assert set(seen) == {net}
