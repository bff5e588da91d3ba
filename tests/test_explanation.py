"""The result: read-only, saved whole or not at all, repeatable from its file."""

import json

import numpy as np
import pytest
import torch
from PIL import Image

import relax
from relax._support.saved import SCHEMA


@pytest.fixture
def encoder(tiny):
    transform = relax.ImageTransform(size=(28, 28), crop="center", resize=32)
    return relax.Encoder(tiny, transform)


@pytest.fixture
def explanation(encoder):
    picture = np.random.default_rng(0).integers(0, 255, (60, 90, 3), dtype=np.uint8)
    picture[20:40, 30:60] = 255
    return relax.explain(encoder, picture, method="relax", n_masks=256)


def test_maps_cannot_be_changed(explanation):
    with pytest.raises(ValueError, match="read-only"):
        explanation.importance[0, 0] = 1
    with pytest.raises(AttributeError):
        explanation.n_masks = 3
    assert explanation.importance.dtype == np.float32


def test_u_relax_thresholds(explanation):
    uncertainty = explanation.uncertainty
    for threshold, level in [
        ("median", np.median(uncertainty)),
        ("mean", uncertainty.mean()),
        ("quantile:0.25", np.quantile(uncertainty, 0.25)),
        (float(uncertainty.max()), uncertainty.max()),
        (-1.0, -1.0),
    ]:
        expected = np.where(uncertainty <= level, explanation.importance, 0)
        np.testing.assert_array_equal(explanation.u_relax(threshold), expected)
    for wrong in ("middle", "quantile:3", "quantile:", None, float("nan")):
        with pytest.raises(relax.ArgumentError, match="expected `threshold`"):
            explanation.u_relax(wrong)


def test_what_is_saved_is_loaded(explanation, tmp_path):
    explanation.save(tmp_path / "e.npz")
    loaded = relax.Explanation.load(tmp_path / "e.npz")
    for name in ("importance", "uncertainty", "standard_error", "input", "picture"):
        np.testing.assert_array_equal(getattr(loaded, name), getattr(explanation, name))
    for name in ("n_masks", "n_blocks", "degrees_of_freedom", "reliability", "score", "measures", "signed", "settings"):
        assert getattr(loaded, name) == getattr(explanation, name)
    with np.load(tmp_path / "e.npz", allow_pickle=False) as archive:  # readable by anybody
        assert json.loads(str(archive["about"]))["schema"] == SCHEMA


@pytest.mark.parametrize(
    "how", [{}, {"masks": relax.GridMasks((4, 5)), "fill": "blur", "similarity": "rbf", "seed": 3}]
)
def test_a_saved_explanation_can_be_computed_again(encoder, tmp_path, how):
    first = relax.explain(encoder, np.random.default_rng(0).random((50, 40, 3)), reliability=0.9, **how)
    first.save(tmp_path / "e.npz")
    loaded = relax.Explanation.load(tmp_path / "e.npz")
    again = relax.explain(encoder, torch.from_numpy(loaded.input), **loaded.arguments())
    np.testing.assert_allclose(again.importance, first.importance, atol=1e-6)
    np.testing.assert_allclose(again.uncertainty, first.uncertainty, atol=1e-7)
    assert again.n_masks == first.n_masks


def test_what_no_file_can_hold_is_said(tiny, image):
    e = relax.explain(tiny, image, n_masks=256, similarity=lambda a, b: a @ b)
    with pytest.raises(relax.ArgumentError, match="similarity of this explanation is not saved"):
        e.arguments()
    e = relax.explain(tiny, image, against=image.flip(1), n_masks=256)
    with pytest.raises(relax.ArgumentError, match="against of this explanation is not saved"):
        e.arguments()


def test_a_failed_save_leaves_the_old_file(explanation, tmp_path, monkeypatch):
    path = tmp_path / "e.npz"
    explanation.save(path)
    before = path.read_bytes()

    def fail(file, **_):
        file.write(b"half")
        raise KeyboardInterrupt

    monkeypatch.setattr(np, "savez_compressed", fail)
    with pytest.raises(KeyboardInterrupt):
        explanation.save(path)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["e.npz"]


def test_files_that_are_no_explanations(explanation, tmp_path):
    with pytest.raises(relax.InputError, match="no such file"):
        relax.Explanation.load(tmp_path / "none.npz")
    (tmp_path / "text.npz").write_text("hello")
    with pytest.raises(relax.InputError, match="not a saved explanation"):
        relax.Explanation.load(tmp_path / "text.npz")
    np.savez(tmp_path / "other.npz", a=np.zeros(3))
    with pytest.raises(relax.InputError, match="not a saved explanation"):
        relax.Explanation.load(tmp_path / "other.npz")
    np.savez(tmp_path / "later.npz", about=np.array(json.dumps({"schema": SCHEMA + 1})))
    with pytest.raises(relax.InputError, match="update relax"):
        relax.Explanation.load(tmp_path / "later.npz")
    np.savez(tmp_path / "pickled.npz", about=np.array([{"schema": 1}], dtype=object))
    with pytest.raises(relax.InputError, match="not a saved explanation"):
        relax.Explanation.load(tmp_path / "pickled.npz")
    explanation.save(tmp_path / "e.npz")
    whole = (tmp_path / "e.npz").read_bytes()
    (tmp_path / "cut.npz").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(relax.InputError, match="not a saved explanation"):
        relax.Explanation.load(tmp_path / "cut.npz")


def test_maps_at_the_size_of_the_picture(explanation, encoder):
    """The transform cut the sides away: there the map is NaN; inside it is the map, enlarged."""
    whole = explanation.at_picture_size()
    assert whole.shape == (60, 90)
    left, top, right, bottom = explanation.settings["input"]["box"]
    assert np.isnan(whole[:, : int(left)]).all()
    assert np.isnan(whole[:, int(right) + 1 :]).all()
    inside = whole[round(top) : round(bottom), round(left) : round(right)]
    assert np.isfinite(inside).all()
    back = np.asarray(Image.fromarray(inside).resize((28, 28), Image.Resampling.BILINEAR))
    assert np.corrcoef(back.ravel(), explanation.importance.ravel())[0, 1] > 0.99
    with pytest.raises(relax.ArgumentError, match="importance, uncertainty, standard_error"):
        explanation.at_picture_size("impotence")


def test_intervals_widen_with_the_level(explanation):
    low, high = explanation.confidence_interval(0.9)
    lower, higher = explanation.confidence_interval(0.99)
    assert (lower < low).all()
    assert (higher > high).all()
    with pytest.raises(relax.ArgumentError, match="`level`"):
        explanation.confidence_interval(95)


def test_the_plot_states_names_units_and_shares_no_state(explanation, tmp_path):
    import matplotlib

    backend = matplotlib.rcParams["backend"]
    figure = explanation.plot(tmp_path / "e.png")
    titles = [axes.get_title() for axes in figure.axes]
    assert titles[:4] == ["input", "importance", "uncertainty", "standard error"]
    labels = [axes.get_ylabel().replace("\n", " ") for axes in figure.axes[4:]]
    assert labels == ["cosine similarity", "variance of the cosine similarity", "cosine similarity"]
    assert "256 masks" in figure.get_suptitle()
    assert matplotlib.rcParams["backend"] == backend
    assert Image.open(tmp_path / "e.png").format == "PNG"
    with pytest.raises(relax.ArgumentError, match=r"ends in \.png"):
        explanation.plot(tmp_path / "e.bmp2")
    assert not list(tmp_path.glob(".*"))


def test_tensors_of_any_number_of_channels_can_be_plotted(tmp_path):
    for channels in (1, 2, 5):
        e = relax.explain(torch.nn.Conv2d(channels, 6, 3), torch.rand(channels, 20, 24), n_masks=256)
        e.plot(tmp_path / f"{channels}.png")
