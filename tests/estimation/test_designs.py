from itertools import combinations
from math import comb

import numpy as np
import pytest
import scipy.linalg
import torch

import relax
from relax.estimation.designs import DESIGNS
from relax.estimation.sequences import hadamard, scrambled_net
from relax.modalities.masks import GridMasks

FOLDOVER, INDEPENDENT, ALL_SIZES = DESIGNS["foldover"], DESIGNS["independent"], DESIGNS["all-sizes"]


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


@pytest.mark.parametrize("size", [64, 20])
@pytest.mark.parametrize("cells", [1, 2, 7])
def test_a_block_of_all_sizes_has_each_size_evenly_and_each_unit_in_half_of_its_masks(cells, size):
    units = GridMasks(cells).over(torch.zeros(3, 32, 32))
    design = ALL_SIZES.sized(size)
    bits = design.block(3, units, 0.5, 0).bits.numpy()
    rows = len(bits) // 2
    assert len(bits) == design.block_size(units.n_units) == FOLDOVER.sized(size).block_size(units.n_units)
    np.testing.assert_array_equal(bits[:rows], 1 - bits[rows:])
    sizes, most = np.sort(bits[:rows].sum(1)), max(units.n_units - 1, 1)
    edges = np.arange(rows + 1) / rows * most
    assert (sizes >= np.floor(edges[:-1]) + 1).all()
    assert (sizes <= np.ceil(edges[1:])).all()


def test_masks_of_all_sizes_are_uniform_given_their_size():
    from scipy.stats import chisquare

    units = GridMasks(2).over(torch.zeros(3, 4, 4))
    n_blocks, powers = 3000, torch.tensor([1.0, 2.0, 4.0, 8.0])
    codes = [int(ALL_SIZES.block(index, units, 0.5, 7).bits[1] @ powers) for index in range(n_blocks)]
    expected = np.array([0.0 if k in (0, 4) else 1 / 3 / comb(4, k) for k in map(int.bit_count, range(16))])
    found = np.bincount(codes, minlength=16)
    assert not found[expected == 0].any()
    assert chisquare(found[expected > 0], n_blocks * expected[expected > 0]).pvalue > 1e-4


def test_independent_masks_keep_what_they_should():
    units = GridMasks(7).over(torch.zeros(3, 32, 32))
    bits = torch.cat([INDEPENDENT.block(index, units, 0.3, 0).bits for index in range(100)])
    assert abs(float(bits.mean()) - 0.3) < 4 * (0.3 * 0.7 / bits.numel()) ** 0.5


@pytest.mark.parametrize("design", ["foldover", "all-sizes"])
def test_pairs_refuse_other_keep_probabilities_and_name_the_way_out(design):
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
