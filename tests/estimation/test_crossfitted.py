"""Cross-fitted moments: unbiased for any model, and closer than moments where the model is good."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
import torch
from torch import nn

import relax
from relax.estimation.crossfitted import corrected, covariance
from relax.estimation.designs import Independent
from relax.estimation.observed import Observed
from relax.estimation.strata import Perturbed, Stratum
from relax.methods import METHODS
from relax.modalities.cells import Cells, UnitCells

P = 8
X = torch.linspace(0.5, 1.5, P)


class Pairs(nn.Module):
    """Columns and the products of neighbours: effects that no linear model predicts."""

    def forward(self, x):
        return torch.cat([x, 2 * x * x.roll(1, 1)], 1)


ENCODER = relax.Encoder(Pairs(), modality="vector")


def exact():
    """Expected score of the masks that keep each column, over all masks."""
    bits = torch.tensor(list(product((0.0, 1.0), repeat=P)))
    scores = nn.functional.cosine_similarity(Pairs()(bits * X), Pairs()(X[None]))
    return ((bits.T @ scores) / bits.sum(0)).numpy()


def maps(method, seeds, n_masks=12):
    return np.stack(
        [
            relax.Explainer(ENCODER, method=method, n_masks=n_masks, seed=seed, fill="zero", design="independent")(
                X
            ).importance
            for seed in seeds
        ]
    )


def test_the_mean_over_seeds_is_the_exact_map():
    seeds = range(100)
    mine = maps("relax-crossfit", seeds)
    z = (mine.mean(0) - exact()) / (mine.std(0, ddof=1) / np.sqrt(len(seeds)))
    assert np.abs(z).max() < 3.5


def test_it_is_closer_than_moments():
    mine, moments = (maps(method, range(40), n_masks=256) - exact() for method in ("relax-crossfit", "relax"))
    assert np.sqrt(np.mean(mine**2)) < 0.8 * np.sqrt(np.mean(moments**2))


def test_stated_error_is_the_spread_over_seeds():
    runs = [
        relax.Explainer(ENCODER, method="relax-crossfit", n_masks=64, seed=seed, fill="zero", design="independent")(X)
        for seed in range(60)
    ]
    spread = np.std([e.importance for e in runs], axis=0, ddof=1)
    stated = np.mean([e.standard_error for e in runs], axis=0)
    assert np.all(stated > 0.8 * spread)
    assert np.all(stated < 2 * spread)


def scored(generator, coefficients, n=40):
    """Masks of one stratum, not in pairs, with linear scores and a little noise."""
    bits = (torch.rand(n, P, generator=generator) < 0.5).double()
    scores = 3 + (bits - 0.5) @ coefficients + 0.1 * torch.randn(n, generator=generator).double()
    item = Observed(1.0, 0.5, torch.zeros(0, P + 3, dtype=torch.float64))
    item.add(bits - 0.5, scores)
    return item, bits, scores


def test_without_a_model_it_is_moments():
    item, bits, scores = scored(torch.Generator().manual_seed(0), torch.ones(P).double())
    found, _ = corrected(item, torch.zeros(P).double(), 0.0, torch.eye(P).double() / 4)
    np.testing.assert_allclose(found, ((bits - 0.5).T @ scores) / len(scores), rtol=1e-10)


def test_with_the_true_model_only_noise_is_left():
    true = torch.linspace(-1, 1, P).double()
    item, _, _ = scored(torch.Generator().manual_seed(0), true, n=400)
    found, error = corrected(item, true, 3.0, torch.eye(P).double() / 4)
    np.testing.assert_allclose(found, true / 4, atol=4 * 0.05 / np.sqrt(400))
    np.testing.assert_allclose(error.sqrt(), 0.05 / np.sqrt(400), rtol=0.15)


def laid(masks):
    """A picture of 24x24 pixels under masks."""
    encoder = relax.Encoder(nn.Flatten())
    fill = encoder.modality.fill("mean")
    prepared = encoder.prepare(torch.rand(3, 24, 24))
    return Perturbed(prepared, Stratum(masks, fill), Independent(64), fill)


def test_covariance_of_kept_shares_is_that_of_many_masks():
    moving = laid(relax.masks.create("grid", cells=3, keep=0.3))
    cells = Cells((24, 24), (6, 6), {"x": torch.eye(36).double()}, unit=(1.0, 1.0))
    found = covariance(cells, moving)
    shares = torch.cat([cells.seen(moving.units, moving.block(b)) for b in range(100)])
    np.testing.assert_allclose(found, torch.cov(shares.T, correction=0), atol=0.015)
    assert float(shares.mean()) == pytest.approx(0.3, abs=0.02)


def test_covariance_of_fixed_units_is_the_identity():
    fixed = laid(relax.masks.create("patches", patch=8, keep=0.3))
    np.testing.assert_allclose(covariance(UnitCells(fixed.units), fixed), 0.21 * np.eye(9), atol=1e-12)


def test_a_photograph_agrees_with_the_paper_s_map():
    encoder, x = relax.Encoder(nn.Sequential(nn.AvgPool2d(8), nn.Flatten())), torch.rand(3, 56, 56)
    mine = relax.explain(encoder, x, method="relax-crossfit", n_masks=1024, fill="mean")
    paper = relax.explain(encoder, x, method="relax", n_masks=4096, fill="mean")
    assert np.corrcoef(mine.importance.ravel(), paper.importance.ravel())[0, 1] > 0.98
    assert abs(mine.importance.mean() - paper.importance.mean()) < 4 * mine.standard_error.mean()
    assert "relax-crossfit" in METHODS
