from itertools import combinations

import numpy as np
import pytest
import scipy.linalg
import torch

import relax
from relax.estimation.designs import DESIGNS, hadamard, scrambled_net
from relax.modalities.masks import GridMasks

FOLDOVER, INDEPENDENT = DESIGNS["foldover"], DESIGNS["independent"]


def signs(block):
    return block.bits.double().numpy() * 2 - 1


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("cells", [1, 2, 3, 7, 8])
def test_every_foldover_block_is_balanced_and_folded(seed, cells):
    units = GridMasks(cells).over(torch.zeros(3, 32, 32))
    block = FOLDOVER.block(seed, units, 0.5, seed)
    assert len(block) == FOLDOVER.block_size(units.n_units)
    half = len(block) // 2
    np.testing.assert_array_equal(signs(block)[:half], -signs(block)[half:])
    np.testing.assert_array_equal(signs(block).sum(0), 0)


@pytest.mark.parametrize("seed", range(5))
def test_main_effects_are_free_of_each_other_and_of_two_way_interactions(seed):
    units = GridMasks(4).over(torch.zeros(3, 32, 32))
    matrix = signs(FOLDOVER.block(0, units, 0.5, seed))
    pairs = np.stack([matrix[:, a] * matrix[:, b] for a, b in combinations(range(units.n_units), 2)], axis=1)
    np.testing.assert_array_equal(matrix.T @ matrix, len(matrix) * np.eye(units.n_units))
    np.testing.assert_array_equal(matrix.T @ pairs, 0)


@pytest.mark.parametrize("design", ["foldover", "independent"])
def test_each_mask_alone_is_a_fair_mask(design):
    """Over many blocks the first mask's patterns of three bits, and its placements, are uniform (chi-square)."""
    from scipy.stats import chisquare

    units = GridMasks(2).over(torch.zeros(3, 4, 4))
    codes, places = [], []
    for index in range(3000):
        block = DESIGNS[design].block(index, units, 0.5, 7)
        codes.append(int(block.bits[0, :3] @ torch.tensor([1.0, 2.0, 4.0])))
        places.append(int(block.placements[0] @ torch.tensor([1, 2])))
    assert chisquare(np.bincount(codes, minlength=8)).pvalue > 1e-4
    assert chisquare(np.bincount(places, minlength=4)).pvalue > 1e-4


def test_independent_masks_keep_what_they_should():
    units = GridMasks(7).over(torch.zeros(3, 32, 32))
    bits = torch.cat([INDEPENDENT.block(index, units, 0.3, 0).bits for index in range(100)])
    assert abs(float(bits.mean()) - 0.3) < 4 * (0.3 * 0.7 / bits.numel()) ** 0.5


def test_foldover_refuses_other_keep_probabilities_and_names_the_way_out():
    units = GridMasks(3).over(torch.zeros(3, 32, 32))
    with pytest.raises(relax.ArgumentError, match=r"needs keep=0\.5.*got keep=0\.3.*design='independent'"):
        FOLDOVER.block(0, units, 0.3, 0)


@pytest.mark.parametrize("design", ["foldover", "independent"])
def test_a_block_depends_on_seed_and_number_only(design):
    units = GridMasks(5).over(torch.zeros(3, 32, 32))
    torch.manual_seed(1)
    first = DESIGNS[design].block(3, units, 0.5, 11)
    DESIGNS[design].block(0, units, 0.5, 11)
    again = DESIGNS[design].block(3, units, 0.5, 11)
    assert torch.equal(first.bits, again.bits)
    assert torch.equal(first.placements, again.placements)
    assert not torch.equal(first.bits, DESIGNS[design].block(4, units, 0.5, 11).bits)
    assert not torch.equal(first.bits, DESIGNS[design].block(3, units, 0.5, 12).bits)


@pytest.mark.parametrize("dimensions", [1, 2, 3])
def test_the_net_of_four_placements_is_that_of_scipy(dimensions):
    from scipy.stats.qmc import Sobol

    for seed in range(50):
        expected = Sobol(dimensions, rng=np.random.default_rng(seed)).random(4)
        np.testing.assert_array_equal(scrambled_net(dimensions, np.random.default_rng(seed)), expected)


@pytest.mark.parametrize("order", [1, 2, 8, 64])
def test_the_hadamard_matrix_is_that_of_scipy(order):
    np.testing.assert_array_equal(hadamard(order), scipy.linalg.hadamard(order))
