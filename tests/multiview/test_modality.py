"""Several views: brute force over all masks, and what must hold whatever the encoder."""

import itertools
import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

import relax
from relax.modalities.image.modality import Image
from relax.modalities.masks import Block
from relax.modalities.vector.modality import Vector
from relax.multiview.masks import PreparedViews, ViewFill, ViewMasks
from relax.multiview.modality import Views

GRID = relax.GridMasks(2, offsets="none")


class TwoViews(nn.Module):
    """An image and a vector, fused; ``deaf`` silences the vector."""

    def __init__(self, deaf=False):
        super().__init__()
        with torch.random.fork_rng():
            torch.manual_seed(0)
            self.image = nn.Sequential(nn.Conv2d(1, 6, 3, stride=2), nn.Tanh(), nn.AdaptiveAvgPool2d(2), nn.Flatten())
            self.vector = nn.Sequential(nn.Linear(4, 24), nn.Tanh())
        self.deaf = deaf

    def forward(self, views):
        image = self.image(views["image"])
        return image if self.deaf else image + self.vector(views["vector"])


@pytest.fixture
def views():
    generator = torch.Generator().manual_seed(1)
    return {"image": torch.rand(1, 12, 12, generator=generator) * 2, "vector": torch.randn(4, generator=generator) * 2}


def test_joint_maps_equal_brute_force_over_all_masks(views):
    """All 2^8 masks of four cells and four columns, against many masks of the independent design."""
    model = TwoViews().eval()
    bits = torch.tensor(list(itertools.product((0.0, 1.0), repeat=8)))
    prepared = PreparedViews.of({key: relax.Prepared({key: view}) for key, view in views.items()})
    units = ViewMasks({"image": GRID, "vector": relax.ColumnMasks()}).over(prepared)
    block = Block(bits, torch.zeros(1, 3, dtype=torch.long))
    image_masks = GRID.over(views["image"]).masks(Block(bits[:, :4], torch.zeros(1, 2, dtype=torch.long)))
    masked = {"image": views["image"] * image_masks[:, None], "vector": views["vector"] * bits[:, 4:]}
    batch = ViewFill("mean").bind(prepared).apply(prepared, units, block)
    for key, expected in masked.items():
        torch.testing.assert_close(batch[key], expected)
    with torch.no_grad():
        whole = model({key: view[None] for key, view in views.items()})
        scores = torch.cosine_similarity(model(masked), whole).double()
    expected = {
        "image": (scores[:, None, None] * image_masks).sum(0) / image_masks.sum(0),
        "vector": (scores[:, None] * bits[:, 4:]).sum(0) / bits[:, 4:].sum(0),
    }
    found = relax.explain(model, views, masks={"image": GRID, "vector": "grid"}, n_masks=4096)
    for key, values in expected.items():
        error = np.abs(found[key].importance - values.numpy())
        assert error.max() < 5 * found[key].standard_error.max() + 1e-6, key
        assert found[key].importance.shape == (12, 12) if key == "image" else (4,)
    means = (scores @ bits.double()) / bits.sum(0) - scores.mean()
    image_share = float(means[:4].sum() / means.sum())
    assert found.shares.values["image"] == pytest.approx(
        image_share, abs=4 * found.shares.standard_errors["image"] + 1e-3
    )
    assert sum(found.shares.values.values()) == pytest.approx(1)


def test_a_single_view_is_a_single_input(tiny, image):
    encoder = relax.Encoder(lambda views: tiny(views["only"]))
    alone = relax.explain(tiny, image, n_masks=512)
    view = relax.explain(encoder, {"only": image}, n_masks=512)
    for name in ("importance", "uncertainty", "standard_error"):
        np.testing.assert_allclose(getattr(view["only"], name), getattr(alone, name), atol=1e-6)
    assert view["only"].n_masks == alone.n_masks
    assert view.shares.values == {"only": pytest.approx(1)}


@pytest.mark.parametrize("how", ["joint", "one-at-a-time"])
def test_a_view_that_is_ignored_has_no_importance(views, how):
    if how == "one-at-a-time":
        with pytest.raises(relax.EncoderError, match="same score"):
            relax.explain(TwoViews(deaf=True), views, views=how, masks={"image": GRID, "vector": "grid"}, n_masks=512)
        return
    found = relax.explain(TwoViews(deaf=True), views, views=how, masks={"image": GRID, "vector": "grid"}, n_masks=2048)
    share, error = found.shares.values["vector"], found.shares.standard_errors["vector"]
    assert abs(share) <= 2 * error + 1e-9
    effect, error = found["vector"].effect, found["vector"].standard_error
    assert (np.abs(effect) <= 3 * error + 1e-6).all()


def test_the_order_of_the_views_does_not_matter_to_a_linear_encoder(views):
    """Each effect has a closed form, so permuting the views permutes the results."""

    def encoder(some):
        return torch.cat([some["image"].flatten(1).cumsum(1)[:, ::30], some["vector"] * 3], 1)

    recipes = {"image": relax.PatchMasks(6), "vector": "grid"}
    turned = dict(reversed(views.items()))
    how = {"masks": recipes, "similarity": "dot", "n_masks": 64, "method": "relax"}  # which does not shrink
    both = [relax.explain(encoder, v, **how) for v in (views, turned)]
    assert list(both[1]) == ["vector", "image"]
    for key in views:
        np.testing.assert_allclose(both[0][key].effect, both[1][key].effect, rtol=1e-3, atol=1e-3)
    expected = 3 * views["vector"].numpy() * 3 * views["vector"].numpy() / 2
    np.testing.assert_allclose(both[0]["vector"].effect, expected, rtol=1e-3, atol=1e-3)


def test_one_at_a_time_masks_one_view_while_the_others_are_whole(views):
    model = TwoViews().eval()
    found = relax.explain(model, views, views="one-at-a-time", masks={"image": GRID, "vector": "grid"}, n_masks=256)
    fixed = relax.Encoder(lambda batch: model({"image": batch, "vector": views["vector"].expand(len(batch), 4)}))
    alone = relax.explain(fixed, views["image"], masks=GRID, fill="mean", n_masks=256)
    np.testing.assert_allclose(found["image"].importance, alone.importance, atol=1e-6)


def test_both_views_cost_what_one_view_with_as_many_units_costs(views):
    found = relax.explain(TwoViews(), views, masks={"image": GRID, "vector": "grid"}, n_masks=256)
    assert found["image"].settings["cost"]["forwards"] == found["image"].n_masks + 1


def test_tuples_lists_and_other_objects(views):
    model = TwoViews().eval()
    as_tuple = relax.Encoder(lambda some: model({"image": some[0], "vector": some[1]}), views=2)
    masks = {"image": GRID, "vector": "grid"}
    named = relax.explain(model, views, masks=masks, n_masks=64)
    numbered = relax.explain(as_tuple, tuple(views.values()), masks={0: GRID, 1: "grid"}, n_masks=64)
    np.testing.assert_allclose(numbered[1].importance, named["vector"].importance, atol=1e-6)
    several = relax.explain(model, [views, views], masks=masks, n_masks=64)
    np.testing.assert_allclose(several[1]["image"].importance, named["image"].importance, atol=1e-6)
    other = {"image": views["image"].flip(2), "vector": -views["vector"]}
    against = relax.explain(model, views, other, masks=masks, n_masks=64)
    with torch.no_grad():
        h = [model({key: v[None] for key, v in some.items()}) for some in (views, other)]
    assert against["image"].score == pytest.approx(float(torch.cosine_similarity(*h)), abs=1e-5)
    assert against["image"].signed


def test_pictures_go_through_the_transform_of_their_view(views):
    gray = relax.ImageTransform(size=(12, 12))
    encoder = relax.Encoder(
        lambda some: torch.cat([some["photo"].mean((2, 3)), some["vector"]], 1) + 1,
        transform={"photo": gray},
        views=["photo", "vector"],
    )
    photo = np.random.default_rng(0).integers(0, 255, (30, 40, 3), dtype=np.uint8)
    found = relax.explain(
        encoder, {"vector": np.arange(4.0), "photo": photo}, masks={"photo": GRID, "vector": "grid"}, n_masks=64
    )
    assert list(found) == ["photo", "vector"]
    assert found["photo"].at_picture_size().shape == (30, 40)
    assert found["vector"].settings["view"] == "vector"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda v: {"image": v["image"]}, "needs vector too"),
        (lambda v: {**v, "sound": v["vector"]}, "does not know sound"),
        (lambda v: {**v, "vector": v["vector"] * float("nan")}, "view 'vector': the vector has NaN"),
        (lambda v: {**v, "vector": torch.zeros(2, 2)}, "view 'vector': expected a vector"),
        (lambda v: {**v, "vector": "nowhere.png"}, "view 'vector': nowhere.png: no such file"),
        (lambda v: {**v, "vector": torch.zeros(5)}, "cannot encode"),
        (lambda v: (v["image"],), "expected 2 views"),
        (lambda v: v["image"], "expected 2 views"),
        (lambda v: {}, "expected 2 views"),
    ],
)
def test_views_that_cannot_be_are_said(views, change, words):
    encoder = relax.Encoder(TwoViews(), views=["image", "vector"])
    with pytest.raises(relax.InputError, match=words):
        relax.explain(encoder, change(views), n_masks=64, masks={"image": GRID, "vector": "grid"})


def test_arguments_that_do_not_go_with_views_are_said(views):
    for more, words in (
        ({"method": "saliency", "n_masks": None}, "expected an input of one floating-point tensor, got image, vector"),
        ({"views": "some"}, "'joint' or 'one-at-a-time'"),
        ({"masks": {"image": GRID}}, "none for 'vector'"),
        ({"masks": {"image": GRID, "vector": relax.ColumnMasks(keep=0.3)}}, "one keep probability"),
    ):
        with pytest.raises(relax.ArgumentError, match=words):
            relax.explain(TwoViews(), views, **{"n_masks": 64, **more})


def test_columns_are_vectors_only(image):
    with pytest.raises(relax.ArgumentError, match="need a vector"):
        relax.ColumnMasks().over(image)
    units = relax.ColumnMasks(group=3).over(torch.zeros(7))
    assert units.n_units == 3
    assert units.masks(Block(torch.eye(3), torch.zeros(1, 1))).tolist()[1] == [0, 0, 0, 1, 1, 1, 0]


def test_a_row_of_an_array_of_objects_is_a_view(views):
    """What loaders give is what explain takes: (C, H, W) arrays, of floats or of 0 to 255."""
    model = TwoViews().eval()
    whole = relax.explain(model, views, n_masks=512)
    rows = relax.explain(model, {key: view.numpy() for key, view in views.items()}, n_masks=512)
    np.testing.assert_array_equal(rows["image"].importance, whole["image"].importance)
    bytes_ = (views["image"] / 2 * 255).round().to(torch.uint8)
    scaled = relax.explain(model, {"image": bytes_.numpy(), "vector": views["vector"]}, n_masks=512)
    same = relax.explain(model, {"image": bytes_ / 255, "vector": views["vector"]}, n_masks=512)
    np.testing.assert_array_equal(scaled["image"].importance, same["image"].importance)


def test_an_adaptive_run_has_an_error_however_many_units(views):
    """1200 columns would be one block of 4096 masks; an adaptive run takes smaller ones."""
    wide = torch.randn(1200, generator=torch.Generator().manual_seed(2))
    found = relax.explain(lambda v: torch.cat([v["a"][:, :600].tanh(), v["b"]], 1), {"a": wide, "b": views["vector"]})
    assert found["a"].n_masks <= 3000
    assert np.isfinite(found["a"].standard_error).all()
    assert np.isfinite(list(found.shares.standard_errors.values())).all()


def test_a_view_that_makes_no_difference_is_named(views):
    with pytest.raises(relax.EncoderError, match="view 'vector' makes no difference to the score"):
        relax.explain(TwoViews(deaf=True), views, views="one-at-a-time", n_masks=512)


@pytest.mark.parametrize("more", [{"fill": "blur"}, {"fill": "black"}, {"fill": "noise"}, {"masks": "superpixels"}])
def test_what_is_for_pictures_is_refused_for_vectors(views, more):
    with pytest.raises(relax.ArgumentError, match="view 'vector': the input is of modality vector"):
        relax.explain(TwoViews(), views, **more)


def test_views_for_an_encoder_of_one_input(views):
    with pytest.raises(relax.InputError, match="cannot encode an input"):
        relax.explain(nn.Conv2d(3, 4, 3), views)


@pytest.mark.parametrize(("method", "dof"), [("relax", 3), ("relax-regression", 31)])
def test_intervals_of_shares_cover_the_converged_share(views, method, dof):
    """Of few masks, in how many of 40 runs the interval has the share of many; the bare error promises too much."""
    model, masks = TwoViews(), {"image": GRID, "vector": "grid"}
    truth = relax.explain(model, views, masks=masks, n_masks=8192, seed=99).shares.values["image"]
    hits = near = 0
    for seed in range(40):
        shares = relax.explain(model, views, method=method, masks=masks, n_masks=64, seed=seed).shares
        assert shares.degrees_of_freedom == dof
        low, high = shares.confidence_interval()["image"]
        hits += low <= truth <= high
        near += abs(shares.values["image"] - truth) <= 1.96 * shares.standard_errors["image"]
    assert hits >= max(36, near)
    with pytest.raises(relax.ArgumentError, match="`level` between 0 and 1"):
        shares.confidence_interval(95)


def test_saving_keeps_the_shares(views, tmp_path):
    found = relax.explain(TwoViews(), views, masks={"image": GRID, "vector": "grid"}, n_masks=64)
    files = found.save(tmp_path / "one")
    assert sorted(file.name for file in files) == sorted(file.name for file in tmp_path.iterdir())
    kept = json.loads((tmp_path / "one-shares.json").read_text())
    assert kept["vector"]["share"] == found.shares.values["vector"]
    assert kept["vector"]["standard_error"] == found.shares.standard_errors["vector"]
    with pytest.warns(relax.RelaxWarning, match="one block"):
        once = relax.explain(TwoViews(), views, method="relax", masks={"image": GRID, "vector": "grid"}, n_masks=16)
    assert json.loads(once.save(tmp_path / "b")[-1].read_text())["image"]["standard_error"] is None


def test_cells_of_views_are_those_of_each_view(views):
    """Whatever a regression asks of the cells, each view answers for itself."""
    image, vector = Image(), Vector()
    prepared = PreparedViews.of({"image": image.prepare(views["image"]), "vector": vector.prepare(views["vector"])})
    units = ViewMasks({"image": relax.GridMasks(3), "vector": "grid"}).over(prepared)
    cells = Views().regressed(prepared, units, True)
    of_image = image.regressed(prepared.parts["image"], units.units["image"], True)
    of_vector = vector.regressed(prepared.parts["vector"], units.units["vector"], True)
    n, m = of_image.n_cells, of_vector.n_cells
    assert (cells.n_cells, n, m) == (148, 144, 4)  # a moving grid has cells of its own, columns are cells
    block = relax.designs.FoldOver(8).block(0, units, 0.5, 0)
    parts = units.blocks(block)
    seen = cells.seen(units, block)
    torch.testing.assert_close(seen[:, :n], of_image.seen(units.units["image"], parts["image"]))
    torch.testing.assert_close(seen[:, n:], parts["vector"].bits.double())
    expected = [torch.block_diag(kernel.matrix, torch.zeros(m, m)) for kernel in of_image.kernels]
    expected.append(torch.block_diag(torch.zeros(n, n), of_vector.kernels[0].matrix))
    for kernel, matrix in zip(cells.kernels, expected, strict=True):
        torch.testing.assert_close(kernel.matrix, matrix.double())
        torch.testing.assert_close(kernel.after(seen), seen @ kernel.matrix)
    assert cells.n_smooth == of_image.n_smooth + of_vector.n_smooth == 3
    over = cells.over_units(torch.eye(n + m).double())
    torch.testing.assert_close(cells.mean_unit, over.mean(1))
    covariance = sum(kernel.matrix for kernel in cells.kernels)
    torch.testing.assert_close(cells.variances(covariance), (over.T @ covariance @ over).diagonal())
    assert cells.to_map(torch.ones(n + m).double()).tolist() == pytest.approx([1] * (12 * 12 + 4))
    assert cells.of_views.sum(1).tolist() == [n, m]
    assert cells.groups.sum(0).tolist() == [1] * (n + m)


def test_effects_and_shares_of_a_linear_encoder_have_closed_forms():
    """Two pictures with grids that move: the effect of a unit is half of what its pixels add to the score."""
    generator = torch.Generator().manual_seed(3)
    weights = {
        "a": 1 + torch.rand(1, 28, 28, generator=generator),
        "b": 0.3 * torch.rand(1, 28, 28, generator=generator),
    }
    pictures = {key: torch.ones(1, 28, 28) for key in weights}

    def encoder(some):
        return sum((some[key] * weights[key]).flatten(1).sum(1, keepdim=True) for key in weights)

    found = relax.explain(encoder, pictures, similarity=lambda h, reference: h[:, 0], fill="zero", n_masks=512)
    totals = {key: float(weight.sum()) for key, weight in weights.items()}
    for key, total in totals.items():
        assert found[key].settings["method"] == "relax-regression"
        share, error = found.shares.values[key], found.shares.standard_errors[key]
        assert share == pytest.approx(total / sum(totals.values()), abs=max(4 * error, 1e-3))
        assert error < 0.01
        assert found[key].effect.mean() == pytest.approx(total / 49 / 2, rel=0.05)


def test_each_view_has_its_own_reliability():
    """A view with next to no effect is not as reliable as the other one."""
    generator = torch.Generator().manual_seed(3)
    weights = {"loud": torch.rand(1, 28, 28, generator=generator), "faint": torch.zeros(1, 28, 28)}
    weights["loud"][:, :12, :12] += 4.0
    noise = torch.randn(2 * 28 * 28, 8, generator=generator)

    def encoder(some):
        flat = torch.cat([some[key].flatten(1) for key in weights], 1)
        return torch.cat(
            [(some["loud"] * weights["loud"]).flatten(1).sum(1, keepdim=True), 3 * torch.tanh(flat @ noise)], 1
        )

    pictures = {key: torch.ones(1, 28, 28) for key in weights}
    found = relax.explain(encoder, pictures, similarity=lambda h, _: h.sum(1), fill="zero", n_masks=256)
    assert found["loud"].reliability > found["faint"].reliability + 0.1
    moments = relax.explain(
        encoder, pictures, method="relax", similarity=lambda h, _: h.sum(1), fill="zero", n_masks=512
    )
    assert moments["loud"].reliability == moments["faint"].reliability  # of the object as a whole


@pytest.mark.parametrize(("method", "design"), [("relax-crossfit", "foldover"), ("relax-regression", "exhaustive")])
def test_shares_of_other_estimators(method, design):
    """In closed form: the share of a column of a linear encoder is its square over all squares."""
    views = {"x": torch.tensor([1.0, 2.0, 1.0]), "y": torch.tensor([1.0, 1.0, 1.0])}
    found = relax.explain(
        lambda some: torch.cat([some["x"], some["y"]], 1),
        views,
        method=method,
        design=design,
        similarity="dot",
        precision="float32",
        n_masks=64,
    )
    assert found.shares.values["x"] == pytest.approx(6 / 9, abs=1e-3)
    assert found.shares.standard_errors["x"] < 1e-2
    if design == "exhaustive":
        assert found.shares.standard_errors == {"x": 0, "y": 0}
        assert found.shares.confidence_interval()["x"] == pytest.approx((6 / 9, 6 / 9))


@pytest.mark.parametrize(
    "how",
    [
        {"views": "one-at-a-time"},
        {"masks": {"image": GRID, "vector": relax.ColumnMasks()}},
        {"masks": {"image": "grid", "vector": "grid"}, "fill": {"image": "mean", "vector": "zero"}},
        {"method": "relax-crossfit", "n_masks": 64},
    ],
)
def test_arguments_of_a_view_repeat_the_run(views, how, tmp_path):
    found = relax.explain(TwoViews(), views, **{"n_masks": 16, **how})
    found.save(tmp_path / "one")
    for key in views:
        arguments = relax.Explanation.load(tmp_path / f"one-{key}.npz").arguments()
        again = relax.explain(TwoViews(), views, **arguments)
        np.testing.assert_array_equal(again[key].importance, found[key].importance)


def test_arguments_of_numbered_views(views):
    encoder = relax.Encoder(lambda some: torch.cat([some[0].flatten(1), some[1]], 1), views=2)
    found = relax.explain(encoder, tuple(views.values()), masks={0: GRID, 1: "grid"}, n_masks=16)
    settings = json.loads(json.dumps(found[0].settings))  # as a file has them: keys are strings
    arguments = replace(found[0], settings=settings).arguments()
    again = relax.explain(encoder, tuple(views.values()), **arguments)
    np.testing.assert_array_equal(again[1].importance, found[1].importance)
