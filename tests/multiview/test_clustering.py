"""The estimator: finds clusters that are there, in scikit-learn's manner."""

import json

import numpy as np
import pytest
import torch
from PIL import Image
from typer.testing import CliRunner

import relax
from relax.cli import app

base = pytest.importorskip("sklearn.base", reason="scikit-learn (extra: methods) is not installed")
estimator_checks = pytest.importorskip("sklearn.utils.estimator_checks")
NotFittedError = pytest.importorskip("sklearn.exceptions").NotFittedError
adjusted_rand_score = pytest.importorskip("sklearn.metrics").adjusted_rand_score
CoMVC = pytest.importorskip("relax.multiview.clustering").CoMVC

FAST = {"n_clusters": 3, "dimensions": 16, "hidden": 16, "epochs": 40, "batch_size": 60, "n_init": 2, "random_state": 0}


@pytest.fixture(scope="module")
def objects():
    """Three clusters; the sound alone confuses two of them."""
    rng = np.random.default_rng(0)
    truth = np.repeat(np.arange(3), 60)
    sounds = np.array([0, 0, 1])[truth][:, None] * 4 + rng.normal(size=(180, 5))
    pictures = np.array([0, 2, 4])[truth][:, None, None, None] * 2 + rng.normal(size=(180, 1, 8, 8))
    return {"picture": pictures.astype(np.float32), "sound": sounds.astype(np.float32)}, truth


@pytest.fixture(scope="module")
def fitted(objects):
    return CoMVC(**FAST).fit(objects[0])


@pytest.mark.parametrize("contrastive", [True, False])
def test_clusters_that_are_there_are_found(objects, contrastive):
    views, truth = objects
    labels = CoMVC(**{**FAST, "contrastive": contrastive}).fit_predict(views)
    assert adjusted_rand_score(truth, labels) > 0.9


def test_outputs_belong_together(objects, fitted):
    views, _ = objects
    assert (fitted.predict(views) == fitted.labels_).all()
    likely = fitted.predict_proba(views)
    np.testing.assert_allclose(likely.sum(1), 1, atol=1e-5)
    fused = fitted.transform(views)
    np.testing.assert_allclose(fitted.cluster_centers_[1], fused[fitted.labels_ == 1].mean(0), atol=1e-4)
    assert sum(fitted.view_weights_.values()) == pytest.approx(1)
    turned = dict(reversed(views.items()))
    np.testing.assert_allclose(fitted.transform(turned), fused, atol=1e-6)


def test_the_seed_decides_and_global_state_is_left(objects):
    views, _ = objects
    fast = {**FAST, "epochs": 2, "n_init": 1}
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    one, same, other = (CoMVC(**{**fast, "random_state": s}).fit(views).transform(views) for s in (0, 0, 1))
    assert torch.rand(1) == expected
    np.testing.assert_array_equal(one, same)
    assert np.abs(one - other).max() > 0.1


def test_saved_and_loaded_is_the_same(objects, fitted, tmp_path):
    fitted.save(tmp_path / "comvc")
    again = CoMVC.load(tmp_path / "comvc")
    np.testing.assert_array_equal(again.transform(objects[0]), fitted.transform(objects[0]))
    assert again.get_params() == fitted.get_params()
    assert (again.labels_ == fitted.labels_).all()
    about = tmp_path / "comvc" / "about.json"
    about.write_text(json.dumps({**json.loads(about.read_text()), "schema": 9}))
    with pytest.raises(relax.InputError, match="schema 9"):
        CoMVC.load(tmp_path / "comvc")
    with pytest.raises(relax.InputError, match="no such file"):
        CoMVC.load(tmp_path)
    for damaged in ("[]", '{"schema": 2}', '{"schema": 2, "parameters": 3}'):
        (tmp_path / "comvc" / "about.json").write_text(damaged)
        with pytest.raises(relax.InputError, match=r"about\.json: "):
            CoMVC.load(tmp_path / "comvc")


def test_it_is_an_encoder_of_its_views(objects, fitted):
    views, _ = objects
    one = {key: torch.from_numpy(view[0]) for key, view in views.items()}
    masks = {"picture": relax.GridMasks(2), "sound": "grid"}
    e = relax.explain(fitted.encoder(), one, masks=masks, n_masks=256)
    assert e["picture"].score == pytest.approx(1)
    label = int(fitted.labels_[0])
    near = relax.explain(fitted.encoder(), one, relax.Cluster(fitted, label), masks=masks, n_masks=256)
    fused, center = fitted.transform(views)[0], fitted.cluster_centers_[label]
    cosine = fused @ center / np.linalg.norm(fused) / np.linalg.norm(center)
    assert near["sound"].score == pytest.approx(cosine, abs=1e-4)
    soft = relax.explain(fitted.encoder("assignment"), one, relax.Dimension(label), masks=masks, n_masks=256)
    assert soft["sound"].score == pytest.approx(fitted.predict_proba(views)[0, label], abs=1e-5)


@pytest.mark.parametrize(
    "check",
    [
        "check_parameters_default_constructible",
        "check_get_params_invariance",
        "check_set_params",
        "check_no_attributes_set_in_init",
        "check_estimators_unfitted",
        "check_estimator_cloneable",
        "check_estimator_repr",
    ],
)
def test_scikit_learn_checks_that_apply_to_several_views(check):
    """One array counts as one view, so that checks on tables can run too."""
    getattr(estimator_checks, check)("CoMVC", CoMVC(**{**FAST, "epochs": 1, "n_init": 1}))


def test_clone_keeps_parameters():
    assert base.clone(CoMVC(**FAST)).get_params() == CoMVC(**FAST).get_params()


@pytest.mark.parametrize(
    ("views", "more", "words"),
    [
        (lambda v: {"a": v["sound"], "b": v["sound"][:9]}, {}, r"different numbers of them \(a: 180, b: 9\)"),
        (lambda v: {"a": v["sound"] * np.nan}, {}, "view 'a': has NaN"),
        (lambda v: {"a": v["sound"][0]}, {}, "view 'a': expected shape"),
        (lambda v: {"a": [["x"]]}, {}, "view 'a': expected an array of numbers"),
        (lambda v: {}, {}, "at least one view"),
        (lambda v: v, {"n_clusters": 1}, "at least two clusters"),
        (lambda v: v, {"n_clusters": 181}, "at most as many clusters as objects"),
        (lambda v: v, {"epochs": 0}, "`epochs` to be a positive integer"),
        (lambda v: v, {"temperature": 0}, "`temperature` to be a positive number"),
        (lambda v: v, {"learning_rate": float("nan")}, "`learning_rate` to be a positive number"),
        (lambda v: v, {"delta": -1}, "`delta` to be a number of at least 0"),
        (lambda v: v, {"contrastive": "no"}, "`contrastive` to be True or False"),
        (lambda v: v, {"batch_size": 1}, "`batch_size` of at least 2"),
        (lambda v: v, {"steps": 5}, "`epochs` or `steps`, got both"),
        (lambda v: v, {"pretrain": -1}, "`pretrain` to be an integer of at least 0"),
        (lambda v: v, {"limit": 0}, "`limit` to be a positive number"),
        (lambda v: {(1, 2): v["sound"]}, {}, "strings as the views' names"),
    ],
)
def test_what_cannot_be_clustered_is_said(objects, views, more, words):
    with pytest.raises(relax.RelaxError, match=words):
        CoMVC(**{**FAST, **more}).fit(views(objects[0]))


def test_bytes_are_pictures_when_fitted_as_when_explained(objects):
    pictures = (objects[0]["picture"].clip(0, 4) / 4 * 255).astype(np.uint8)
    of_bytes, of_floats = (CoMVC(**{**FAST, "epochs": 2}).fit({"p": p}) for p in (pictures, pictures / np.float32(255)))
    np.testing.assert_array_equal(of_bytes.labels_, of_floats.labels_)
    np.testing.assert_array_equal(of_bytes.predict({"p": pictures}), of_bytes.labels_)


def test_what_was_not_fitted_or_is_not_known_is_said(objects, fitted):
    views, _ = objects
    with pytest.raises(NotFittedError):
        CoMVC().predict(views)
    with pytest.raises(relax.InputError, match="expected the views picture, sound, got sound"):
        fitted.predict({"sound": views["sound"]})
    with pytest.raises(relax.InputError, match=r"view 'sound': expected objects of shape \(5,\)"):
        fitted.predict({**views, "sound": views["sound"][:, :4]})
    with pytest.raises(relax.ArgumentError, match="fused, assignment"):
        fitted.encoder("labels")


def test_a_saved_clustering_explains_views_on_the_command_line(objects, fitted, tmp_path):
    views, _ = objects
    fitted.save(tmp_path / "comvc")
    pixels = (views["picture"][0, 0].clip(0, 4) / 4 * 255).astype(np.uint8)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    np.save(tmp_path / "b.npy", views["sound"][0])
    command = [
        "explain",
        "--encoder",
        f"comvc:{tmp_path / 'comvc'}",
        "--out",
        str(tmp_path / "out"),
        "--json",
        "--quiet",
    ]
    paths = {"picture": str(tmp_path / "a.png"), "sound": str(tmp_path / "b.npy")}
    options = [word for name, path in paths.items() for word in ("--view", f"{name}={path}")]
    result = CliRunner().invoke(app, [*command, "--kind", "grid", "--cells", "2", "--masks", "256", *options])
    assert result.exit_code == 0, result.output
    row = json.loads(result.stdout)
    assert sum(row["shares"].values()) == pytest.approx(1, abs=1e-5)
    made = relax.Explanation.load(tmp_path / "out" / "a-sound.npz")
    one = {"picture": torch.from_numpy(pixels)[None] / 255, "sound": torch.from_numpy(views["sound"][0])}
    masks = {"picture": relax.GridMasks(2), "sound": "grid"}
    expected = relax.explain(fitted.encoder(), one, masks=masks, n_masks=256)
    np.testing.assert_allclose(made.importance, expected["sound"].importance, atol=1e-5)
    assert row["share_errors"].keys() == row["shares"].keys()
    assert (tmp_path / "out" / "a-sound.png").stat().st_size > 5000
    refused = CliRunner().invoke(app, [*command, *options, "--against", str(tmp_path / "a.png")])
    assert refused.exit_code == 2
    assert "do not go with --view" in refused.stderr
    for words, wrong in (
        ("NAME=FILE", ["--view", "sound"]),
        ("needs picture too", options[2:]),
        ("expected files", []),
    ):
        result = CliRunner().invoke(app, [*command, *wrong])
        assert result.exit_code == 2
        assert words in result.output
