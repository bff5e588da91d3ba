"""Metrics on regions: known answers on encoders whose regions are known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

import relax
from relax.evaluation.regions import FILLS, partitions, pooled, relevance_gain, single_deletion
from relax.evaluation.road import imputed
from relax.evaluation.subject import Subject

SIDE = 28
WEIGHTS = np.random.default_rng(0).permutation(49).astype(float) + 1


class Cells(nn.Module):
    """The brightness of 7x7 cells, weighted: what a cell is worth is known."""

    def forward(self, x):
        cells = nn.functional.adaptive_avg_pool2d(x.mean(1, keepdim=True), 7).flatten(1)
        return cells * torch.from_numpy(WEIGHTS).float()


def subject(importance, x=None):
    x = 1 + 0.2 * torch.rand(3, SIDE, SIDE, generator=torch.Generator().manual_seed(0)) if x is None else x
    e = relax.explain(relax.Encoder(Cells()), x, method="random")
    return Subject(relax.Encoder(Cells()), replace(e, importance=np.float32(importance)), None, None, seed=0)


def worth():
    """A map of what each cell is worth: similarity falls with the square of the weight."""
    return np.kron((WEIGHTS**2).reshape(7, 7), np.ones((4, 4)))


@pytest.mark.parametrize("fill", FILLS)
def test_the_gain_changes_its_sign_with_the_map_and_the_true_map_is_best(fill):
    bright = torch.rand(7, 7, generator=torch.Generator().manual_seed(0))
    x = 0.5 + 2 * torch.kron(bright, torch.ones(4, 4)).expand(3, -1, -1)  # cells that blurring and imputing change
    true = relevance_gain(subject(worth(), x), fill)
    if np.isnan(true):
        pytest.skip("this fill does not change what the encoder sees")
    assert relevance_gain(subject(-worth(), x), fill) == pytest.approx(-true, abs=0.02)  # regions that tie
    rng = np.random.default_rng(1)
    noise = [np.kron(rng.random((7, 7)), np.ones((4, 4))) for _ in range(8)]
    random = [relevance_gain(subject(values, x), fill) for values in noise]
    assert abs(np.mean(random)) < 0.35 * true
    assert true > max(random)


def test_degraded_maps_gain_ever_less():
    """A metric that did not fall with noise would measure something else."""
    rng = np.random.default_rng(2)
    gains = []
    for share in (0.0, 0.25, 0.5, 1.0):
        noise = np.kron(rng.permutation(WEIGHTS**2).reshape(7, 7), np.ones((4, 4)))
        gains.append(relevance_gain(subject((1 - share) * worth() + share * noise), "mean"))
    assert gains == sorted(gains, reverse=True)


def test_single_deletions_of_the_true_map_are_in_its_order():
    assert single_deletion(subject(worth()), ["mean"]) > 0.98
    assert single_deletion(subject(-worth()), ["mean"]) < -0.98
    assert np.isnan(single_deletion(subject(np.ones((SIDE, SIDE)))))


def test_a_detail_within_regions_plays_no_part():
    """Edges drawn inside the cells change nothing: only the cells' means count."""
    rng = np.random.default_rng(3)
    detail = rng.standard_normal((SIDE, SIDE))
    labels = partitions(subject(worth()))["7x7"]
    detail -= pooled(detail, labels)[labels]
    np.testing.assert_allclose(pooled(worth() + 1e4 * detail, labels), pooled(worth(), labels), atol=1e-6)
    assert single_deletion(subject(worth() + 100 * detail), ["mean"]) == pytest.approx(
        single_deletion(subject(worth()), ["mean"]), abs=0.02
    )


def test_imputation_is_linear_and_keeps_what_is_kept():
    """A plane is its own imputation, and one removed pixel is the weighted mean of its neighbours."""
    rows, columns = np.mgrid[:9, :9].astype(float)
    plane = np.stack([rows, 2 * columns - rows])
    kept = np.ones((9, 9), bool)
    kept[3:6, 2:7] = False
    np.testing.assert_allclose(imputed(plane, kept), plane, atol=1e-9)
    noise = np.random.default_rng(0).random((1, 9, 9))
    one = np.ones((9, 9), bool)
    one[4, 4] = False
    beside = noise[0, 3, 4] + noise[0, 5, 4] + noise[0, 4, 3] + noise[0, 4, 5]
    across = noise[0, 3, 3] + noise[0, 3, 5] + noise[0, 5, 3] + noise[0, 5, 5]
    found = imputed(noise, one)
    assert found[0, 4, 4] == pytest.approx(beside / 6 + across / 12)
    np.testing.assert_array_equal(found[:, one], noise[:, one])
    assert np.ptp(imputed(noise, np.zeros((9, 9), bool))) == pytest.approx(0)
