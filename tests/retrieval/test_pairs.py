"""Pairs: both directions, and interactions against every pair of masks."""

import itertools

import numpy as np
import pytest
import torch
import torch.nn.functional as F

import relax
from relax.modalities.masks import Block
from relax.modalities.regions import Regions
from relax.retrieval.interactions import Interactions, Side


def every_mask(n_units):
    bits = torch.tensor(list(itertools.product((0.0, 1.0), repeat=n_units)))
    return Block(bits[1:], torch.zeros(1, 2, dtype=torch.long))  # a mask that shows nothing has no representation


@pytest.fixture
def pair():
    return torch.rand(2, 3, 16, 16, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("similarity", ["cosine", "dot"])
def test_interactions_equal_brute_force_over_all_pairs_of_masks(tiny, pair, similarity):
    masks = relax.GridMasks(2, offsets="none")
    encoder = relax.Encoder(tiny)
    sides, represented, shown = [], [], []
    for x in pair:
        units = masks.over(x)
        block = every_mask(units.n_units)
        h = encoder.encode(x * units.masks(block)[:, None])
        sides.append(Side(Regions((2, 2)), similarity))
        for _ in range(2):
            sides[-1].add(units.masks(block), h)
        represented.append(F.normalize(h.double(), dim=1) if similarity == "cosine" else h.double())
        shown.append(F.adaptive_avg_pool2d(units.masks(block)[:, None], 2).flatten(1).double())
    scores = represented[0] @ represented[1].T
    expected = torch.empty(4, 4, dtype=torch.float64)
    for r, q in itertools.product(range(4), repeat=2):
        wr, wq = shown[0][:, r] / shown[0][:, r].sum(), shown[1][:, q] / shown[1][:, q].sum()
        given_r, given_q = wr @ scores.mean(1), scores.mean(0) @ wq
        expected[r, q] = wr @ scores @ wq - given_r - given_q + scores.mean()
    found = Interactions.between(*sides)
    np.testing.assert_allclose(found.values, expected, atol=1e-10)
    assert found.standard_error.max() < 1e-9  # both blocks are the same


def test_match_is_an_explanation_each_way_and_costs_no_more(tiny, pair):
    a, b = F.interpolate(pair, (28, 28))
    found = relax.match(tiny, a, b, regions=True, n_masks=512)
    for mine, source, other in ((found.a, a, b), (found.b, b, a)):
        np.testing.assert_allclose(
            mine.importance, relax.explain(tiny, source, other, n_masks=512).importance, atol=1e-6
        )
        assert mine.settings["cost"]["forwards"] == mine.n_masks + 2
    assert found.similarity == pytest.approx(found.a.score)
    assert found.a.score == pytest.approx(found.b.score, abs=1e-6)


def test_standard_error_of_interactions_is_their_spread_over_seeds(tiny, pair):
    a, b = F.interpolate(pair, (28, 28))
    runs = [
        relax.match(
            tiny, a, b, regions=True, cells=3, method="relax", n_masks=512, design="independent", seed=s
        ).interactions
        for s in range(40)
    ]
    spread = np.stack([run.values for run in runs]).std(0, ddof=1)
    stated = np.sqrt(np.mean([run.standard_error**2 for run in runs], axis=0))
    assert 0.8 < np.median(stated / spread) < 1.25


def test_answers_name_the_same_patch_in_both_inputs():
    """An encoder that counts colours: red in a is answered by red in b, wherever it is."""

    def colours(batch):
        bright = batch.flatten(2).mean(2)
        return torch.cat([bright**2, bright], 1) + 0.02

    a, b = torch.zeros(3, 28, 28), torch.zeros(3, 28, 28)
    a[0, :8, :8] = a[1, -8:, -8:] = 1.0
    b[0, :8, -8:] = b[1, -8:, :8] = 1.0
    found = relax.match(colours, a, b, regions=True, n_masks=2048)
    effect = np.zeros((28, 28))
    effect[:4, :4], effect[-4:, -4:] = 2, 1
    first, second = found.interactions.answers(effect, k=2)
    assert first["cell"] == (0, 0)
    assert second["cell"] == (6, 6)
    assert first["answer"][0] <= 1 and first["answer"][1] >= 5  # noqa: PT018
    assert second["answer"][0] >= 5 and second["answer"][1] <= 1  # noqa: PT018
    assert first["interaction"] > 3 * first["standard_error"]


def test_what_cannot_be_matched_is_said(tiny, image):
    with pytest.raises(relax.InputError, match="expected one input, got several"):
        relax.match(tiny, [image], image)
    with pytest.raises(relax.ArgumentError, match="regions=True needs method"):
        relax.match(tiny, image, image, regions=True, method="saliency")
    with pytest.raises(relax.ArgumentError, match="similarity='cosine' or 'dot'"):
        relax.match(tiny, image, image, regions=True, similarity="rbf", n_masks=256)
    with pytest.raises(relax.ArgumentError, match="two blocks"):
        relax.match(tiny, image, image, regions=True, n_masks=2, fill="mean")


def test_the_picture_of_a_match_shows_maps_and_regions(tiny, pair, tmp_path):
    a, b = F.interpolate(pair, (28, 28))
    figure = relax.match(tiny, a, b, regions=True, n_masks=256).plot(tmp_path / "match.png")
    titles = [axes.get_title() for axes in figure.get_axes()]
    assert "what in a matches b" in titles
    assert "what in b answers region 1" in titles
    assert (tmp_path / "match.png").stat().st_size > 5000
