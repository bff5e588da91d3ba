"""Closed forms and brute force for the three maps."""

from itertools import product

import numpy as np
import pytest
import torch

import relax
from relax.estimation.designs import DESIGNS
from relax.estimation.moments import Moments
from relax.modalities.masks import Block, GridMasks, PatchMasks
from relax.references.similarity import SIMILARITIES


def every_mask(masks, height, width, channels=3):
    """All bit patterns at all placements, as one block."""
    units = masks.over(torch.zeros(channels, height, width))
    bits = torch.tensor(list(product((0.0, 1.0), repeat=units.n_units)))
    places = torch.tensor(list(product(*(range(n) for n in units.placements))))
    return units, Block(bits.repeat_interleave(len(places), 0), places.repeat(len(bits), 1))


def definition(masks, scores):
    """Importance and uncertainty as the paper defines them, over all masks."""
    weight = masks.sum(0)
    importance = torch.einsum("n,nhw->hw", scores, masks) / weight
    spread = (scores[:, None, None] - importance).square()
    return importance, (spread * masks).sum(0) / weight


@pytest.mark.parametrize("masks", [GridMasks(3), GridMasks((3, 2), offsets="none"), PatchMasks(2)])
def test_all_masks_of_a_small_grid_give_the_definition(masks, tiny, image):
    x = image[:, :6, :6]
    units, block = every_mask(masks, 6, 6)
    full = units.masks(block).double()
    scores = torch.sin((x.sum(0) * full).sum((1, 2)))  # nothing linear about it
    moments = Moments(units.shape)
    moments.update(units, block, scores)
    importance, uncertainty = definition(full, scores)
    torch.testing.assert_close(moments.importance(), importance, atol=1e-6, rtol=1e-6)
    torch.testing.assert_close(moments.uncertainty(), uncertainty, atol=1e-6, rtol=1e-6)


def test_the_one_pass_update_of_the_paper_is_the_same_numbers(image):
    units = GridMasks(4).over(image)
    block = DESIGNS["independent"].block(0, units, 0.5, 0)
    scores = torch.rand(len(block), generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    weight = torch.zeros(28, 28, dtype=torch.float64)
    mean, spread = weight.clone(), weight.clone()
    for score, mask in zip(scores, units.masks(block).double(), strict=True):
        weight += mask
        step = torch.where(weight > 0, mask / weight, 0.0)
        before = mean.clone()
        mean += step * (score - mean)
        spread += (score - mean) * (score - before) * mask
    moments = Moments(units.shape)
    moments.update(units, block, scores)
    torch.testing.assert_close(moments.importance(), mean, atol=1e-6, rtol=1e-6)
    torch.testing.assert_close(moments.uncertainty(), spread / weight, atol=1e-6, rtol=1e-6)


@pytest.mark.parametrize(("design", "keep"), [("foldover", 0.5), ("independent", 0.5), ("independent", 0.25)])
def test_linear_encoder_with_patches_has_a_closed_form(design, keep):
    """s = Σ_k b_k g_k, so R_k = b_k + keep Σ_{j≠k} b_j and U_k = keep (1 − keep) Σ_{j≠k} b_j²."""
    generator = torch.Generator().manual_seed(0)
    weight = torch.randn(16, 3 * 6 * 6, generator=generator)
    x = torch.randn(3, 6, 6, generator=generator)
    gradient = (weight.T @ (weight @ x.flatten())).view(3, 6, 6)
    b = (gradient * x).sum(0).view(3, 2, 3, 2).sum((1, 3)).flatten().double()

    encoder = relax.Encoder(lambda batch: batch.flatten(1) @ weight.T)
    masks = PatchMasks(2, keep=keep)
    e = relax.explain(encoder, x, method="relax", masks=masks, similarity="dot", design=design, n_masks=20_000)
    importance = e.importance[::2, ::2].ravel()
    expected = b + keep * (b.sum() - b)
    error = e.standard_error[::2, ::2].ravel()
    assert np.all(np.abs(importance - expected.numpy()) < 5 * error + 1e-4 * b.abs().max().item())
    expected_spread = keep * (1 - keep) * (b.square().sum() - b.square())
    np.testing.assert_allclose(e.uncertainty[::2, ::2].ravel(), expected_spread, rtol=0.05)
    if design == "foldover":  # nothing but main effects: every block is exact
        np.testing.assert_allclose(importance, expected, rtol=1e-4)


def test_linear_encoder_with_rise_masks_has_a_closed_form():
    """R = a + ½ ΣB + ½ C_y B C_xᵀ / ..., here through the covariance of masks, averaged over all offsets."""
    generator = torch.Generator().manual_seed(2)
    weight = torch.randn(7, 3 * 8 * 8, generator=generator)
    x = torch.randn(3, 8, 8, generator=generator)
    effect = ((weight.T @ (weight @ x.flatten())).view(3, 8, 8) * x).sum(0).double()

    masks = GridMasks(2)
    units, block = every_mask(masks, 8, 8)
    rows = units._rows.double()  # (offsets, 8, 2)
    gram = torch.einsum("oik,ojk->oij", rows, rows)
    # E[M_ij M_pq] = ¼ + ¼ (A_y A_yᵀ)_ip (A_x A_xᵀ)_jq at each offset, E[M] = ½
    products = 0.25 + 0.25 * torch.einsum("oip,ujq->ijpq", gram, gram) / len(gram) ** 2
    expected = torch.einsum("ijpq,pq->ij", products, effect) / 0.5

    moments = Moments(units.shape)
    moments.update(units, block, (units.masks(block).double() * effect).sum((1, 2)))
    torch.testing.assert_close(moments.importance(), expected, atol=1e-5, rtol=1e-5)

    encoder = relax.Encoder(lambda batch: batch.flatten(1) @ weight.T)
    e = relax.explain(encoder, x, method="relax", masks=masks, similarity="dot", n_masks=30_000)
    assert np.all(np.abs(e.importance - expected.numpy()) < 5 * e.standard_error + 1e-3)


@pytest.mark.parametrize("design", ["foldover", "independent"])
@pytest.mark.parametrize("similarity", list(SIMILARITIES))
def test_estimates_agree_with_brute_force(design, similarity, tiny, image):
    """Unbiased: within five standard errors of all 512 x 9 masks of a 3x3 grid, at every pixel."""
    x = image[:, 2:11, 3:12].contiguous()
    units, block = every_mask(GridMasks(3), 9, 9)
    full = units.masks(block)
    encoder = relax.Encoder(tiny)
    own = encoder.encode(x[None]).double()[0]
    representations = encoder.encode(full[:, None] * x, batch_size=512).double()
    scores = SIMILARITIES[similarity](representations, own)
    importance, uncertainty = definition(full.double(), scores)
    e = relax.explain(
        encoder, x, method="relax", masks=GridMasks(3), similarity=similarity, design=design, n_masks=20_000,
        batch_size=256,
    )  # fmt: skip
    assert np.all(np.abs(e.importance - importance.numpy()) < 5 * e.standard_error + 1e-6)
    np.testing.assert_allclose(e.uncertainty, uncertainty.numpy(), rtol=0.1, atol=1e-7)


@pytest.mark.parametrize(
    ("design", "n_blocks", "least", "most"),
    [
        ("independent", 20, 0.93, 0.97),
        ("foldover", 40, 0.93, 0.97),
        ("foldover", 4, 0.93, 1.0),
        ("independent", 4, 0.93, 0.97),
    ],
)
def test_intervals_cover_the_converged_map(design, n_blocks, least, most):
    """Over 200 seeds, nominal 95 % intervals hold the true value at 93-97 % of pixels (or more, after few blocks)."""
    generator = torch.Generator().manual_seed(0)
    w = torch.randn(9, 9, generator=generator).double()
    units, block = every_mask(GridMasks(3), 9, 9)

    def score(masks):
        linear = (masks * w).sum((1, 2))
        return torch.tanh(linear / 6) + 0.1 * linear.square() / 36

    full = units.masks(block).double()
    truth, _ = definition(full, score(full))
    covered = []
    for seed in range(200):
        moments = Moments(units.shape, group=DESIGNS[design].group)
        for index in range(n_blocks):
            part = DESIGNS[design].block(index, units, 0.5, seed)
            moments.update(units, part, score(units.masks(part).double()))
        e = explanation_of(moments)
        low, high = e.confidence_interval(0.95)
        covered.append((low <= truth.numpy()) & (truth.numpy() <= high))
    assert least <= np.mean(covered) <= most


def explanation_of(moments):
    maps = {name: getattr(moments, name)().numpy() for name in ("importance", "uncertainty", "standard_error")}
    return relax.Explanation(
        **maps,
        n_masks=moments.n_masks,
        n_blocks=moments.n_blocks,
        degrees_of_freedom=moments.degrees_of_freedom,
        reliability=moments.reliability(),
        score=1.0,
        inputs={"image": np.zeros((3, 9, 9), np.float32)},
        presentation=None,
        measures={},
        signed=False,
        settings={},
    )


@pytest.mark.parametrize("design", ["foldover", "independent"])
def test_reliability_is_the_correlation_with_the_converged_map(design, tiny, image):
    encoder = relax.Encoder(tiny)
    masks = GridMasks(4)
    converged = relax.explain(encoder, image, method="relax", masks=masks, n_masks=30_000, batch_size=128).importance
    said, true = [], []
    for seed in range(1, 31):
        e = relax.explain(
            encoder, image, method="relax", masks=masks, design=design, n_masks=512, seed=seed, batch_size=128
        )
        said.append(e.reliability)
        true.append(np.corrcoef(e.importance.ravel(), converged.ravel())[0, 1])
    assert abs(np.mean(said) - np.mean(true)) < 0.01


def test_merged_moments_are_the_moments_of_all_blocks(image):
    units = GridMasks(4).over(image)
    generator = torch.Generator().manual_seed(0)
    whole, *parts = (Moments(units.shape, group=2) for _ in range(3))
    for index in range(40):
        block = DESIGNS["foldover"].block(index, units, 0.5, 0)
        scores = torch.rand(len(block), generator=generator, dtype=torch.float64)
        whole.update(units, block, scores)
        parts[index // 20].update(units, block, scores)
    parts[0].merge(parts[1])
    assert (parts[0].n_masks, parts[0].n_blocks) == (whole.n_masks, whole.n_blocks)
    for name in ("importance", "uncertainty", "standard_error"):
        torch.testing.assert_close(getattr(parts[0], name)(), getattr(whole, name)(), atol=1e-10, rtol=1e-8)
    with pytest.raises(relax.ArgumentError, match="expected moments of shape"):
        whole.merge(Moments((3, 3)))


def test_uncertainty_stays_while_the_standard_error_falls(tiny, image):
    few, many = (
        relax.explain(relax.Encoder(tiny), image, method="relax", n_masks=n, design="independent", batch_size=128)
        for n in (1024, 16384)
    )
    np.testing.assert_allclose(many.uncertainty.mean(), few.uncertainty.mean(), rtol=0.05)
    np.testing.assert_allclose(many.standard_error.mean(), few.standard_error.mean() / 4, rtol=0.25)


def test_one_block_has_no_standard_error(tiny, image):
    with pytest.warns(relax.RelaxWarning, match="one block"):
        e = relax.explain(relax.Encoder(tiny), image, method="relax", n_masks=10)
    assert e.n_masks == 128
    assert np.isnan(e.standard_error).all()
    assert np.isnan(e.reliability)
