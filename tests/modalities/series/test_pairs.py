"""Two series against each other, series in files, and the commands on them."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

import relax
from relax.cli import app
from relax.modalities.series.reading import read_series

LENGTH = 64
WEIGHTS = torch.randn(2 * LENGTH, 5, generator=torch.Generator().manual_seed(0))

ENCODER = """
import torch
import relax

torch.manual_seed(0)
network = torch.nn.Sequential(
    torch.nn.Conv1d(2, 64, 9, padding=4), torch.nn.ReLU(), torch.nn.AdaptiveAvgPool1d(1), torch.nn.Flatten()
)
encoder = relax.Encoder(network, modality="series")
"""


def linear(batch):
    return batch.flatten(1) @ WEIGHTS


def noise(seed, channels=2):
    return torch.randn(channels, LENGTH, generator=torch.Generator().manual_seed(seed))


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A folder with an encoder and series."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "enc.py").write_text(ENCODER)
    (tmp_path / "folder").mkdir()
    for seed in range(4):
        np.save(tmp_path / "folder" / f"{seed}.npy", noise(seed).numpy())
    np.save(tmp_path / "many.npy", torch.stack([noise(seed) for seed in range(4)]).numpy())
    lines = ["time,left,right"] + [f"{n},{a:.6f},{b:.6f}" for n, (a, b) in enumerate(noise(0).T.tolist())]
    (tmp_path / "one.csv").write_text("\n".join(lines))
    return tmp_path


def invoke(*arguments):
    return CliRunner().invoke(app, [*map(str, arguments)])


def rows_of(result):
    assert result.exit_code == 0, result.output
    return [json.loads(line) for line in result.stdout.splitlines()]


@pytest.mark.parametrize("masks", [relax.SegmentMasks(segments=4), "channels"])
def test_a_linear_encoder_with_the_dot_product_has_a_closed_form(masks):
    a, b = noise(1), noise(2)
    encoder = relax.Encoder(linear, modality="series")
    pair = relax.match(encoder, a, b, regions=True, masks=masks, similarity="dot", precision="float32")
    parts = []
    for x in (a, b):
        changed = x - x.mean(1, keepdim=True)
        axes = (2, 4, LENGTH // 4) if masks != "channels" else (2, 1, LENGTH)
        by_unit = (changed.reshape(-1, 1) * WEIGHTS).reshape(*axes, 5)
        parts.append(by_unit.sum((0, 2)) if masks != "channels" else by_unit.sum((1, 2)))
    tolerance = {"rtol": 1e-3, "atol": 1e-2}
    np.testing.assert_allclose(2 * pair.a.effect, parts[0] @ linear(b[None])[0], **tolerance)
    np.testing.assert_allclose(4 * pair.interactions.values, parts[0] @ parts[1].T, **tolerance)


def test_a_planted_segment_is_answered_by_the_same_segment(here, tmp_path):
    """Both series get one motif, in different places: what makes them alike, and which segment answers which?"""
    encoder = relax.load_encoder("python:enc.py:encoder")
    a, b = 0.2 * noise(3), 0.2 * noise(4)
    motif = 3 * torch.sin(torch.arange(8) * 1.5)
    a[0, 8:16] += motif
    b[0, 40:48] += motif
    pair = relax.match(encoder, a, b, regions=True, masks=relax.SegmentMasks(segments=8))
    assert (int(pair.a.effect.argmax()), int(pair.b.effect.argmax())) == (1, 5)
    assert np.unravel_index(int(pair.interactions.values.argmax()), (8, 8)) == (1, 5)
    answer = pair.interactions.answers(pair.a.effect, 1)[0]
    assert (answer["cell"], answer["answer"]) == ("8–15", "40–47")
    swapped = relax.match(encoder, b, a, regions=True, masks=relax.SegmentMasks(segments=8))
    np.testing.assert_array_equal(pair.a.importance, swapped.b.importance)
    np.testing.assert_allclose(pair.interactions.values, swapped.interactions.values.T, atol=1e-9)
    figure = pair.plot(tmp_path / "pair.png")
    assert figure.axes[2].texts[0].get_text() == "1"


@pytest.mark.parametrize("masks", ["channels", relax.BandMasks(bands=4)])
def test_pairs_of_channels_and_bands_have_figures(masks):
    encoder = relax.Encoder(linear, modality="series")
    pair = relax.match(encoder, noise(1), noise(2), regions=True, masks=masks)
    assert pair._repr_png_().startswith(b"\x89PNG")
    assert relax.match(encoder, noise(1), noise(2), masks=masks).interactions is None


def test_series_are_read_from_files(here):
    encoder = relax.Encoder(linear, modality="series")
    direct = relax.explain(encoder, noise(0), n_masks=64)
    for name in ("folder/0.npy", "many.npy#0"):
        e = relax.explain(encoder, name, n_masks=64)
        np.testing.assert_allclose(e.importance, direct.importance, atol=1e-6)
        assert e.settings["input"]["source"] == name
    assert len(encoder.split("many.npy")) == 4
    with pytest.warns(relax.RelaxWarning, match=r"one\.csv: time: not a channel; left out"):
        e = relax.explain(encoder, "one.csv", masks="channels")
    assert e.labels == ("left", "right")
    np.testing.assert_allclose(e.importance, relax.explain(encoder, noise(0), masks="channels").importance, atol=1e-4)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "got an empty file"),
        ("x,y\n", "a column of numbers for each channel, got none"),
        ("x,y\n1,2\n3\n", "line 3: expected 2 cells, got 1"),
        ("x\n" + "1\n" * 20, "the series is constant"),
        ("x,y\n" + "1,2\n" * 9 + ",\n" + "3,4\n", "has 2 NaN or infinite values; fill them first"),
        ("x,y\n" + "1,2\n,3\n" * 8, "has 8 NaN or infinite values; fill them first"),
        ("x\n1\ntwo\n" + "3\n" * 9, "column 'x': expected numbers, got 'two'"),
        ("1\n2\n3\n", "at least 8 samples, got 3"),
        (None, "no such file"),
    ],
)
def test_bad_files_are_refused_in_one_line(tmp_path, content, message):
    path = tmp_path / "series.csv"
    if content is not None:
        path.write_text(content)
    with pytest.raises(relax.InputError, match=message) as raised:
        relax.explain(relax.Encoder(linear, modality="series"), path)
    assert "series.csv" in str(raised.value)
    assert "\n" not in str(raised.value)


def test_pickles_are_refused(tmp_path):
    np.save(tmp_path / "object.npy", np.array([{}], dtype=object), allow_pickle=True)
    with pytest.raises(relax.InputError, match=r"object\.npy: cannot be read as a series"):
        read_series(tmp_path / "object.npy")


@pytest.mark.filterwarnings("ignore:one.csv")
def test_the_commands_explain_match_and_index_series(here):
    pytest.importorskip("lancedb")
    named = ["--encoder", "python:enc.py:encoder", "--masks", 64, "--json"]
    rows = rows_of(invoke("explain", "one.csv", "many.npy#2", *named, "--kind", "segments", "--cells", 4, "--out", "o"))
    assert [len(row["effects"]) for row in rows] == [4, 4]
    assert (here / "o" / "many-2.html").exists()
    pair = rows_of(invoke("match", "folder/0.npy", "many.npy#1", *named, "--out", "o"))[0]
    assert pair["regions"][0]["cell"] in relax.explain(relax.Encoder(linear, modality="series"), noise(0)).labels
    assert rows_of(invoke("index", "folder", "--encoder", "python:enc.py:encoder", "--out", "index", "--json"))
    found = rows_of(invoke("match", "many.npy#1", "index", "-k", 1, "--json", "--out", "o"))
    assert found[0]["match"].endswith("1.npy")
    wrong = invoke("explain", "many.npy", "folder/none.npy", *named, "--out", "o2")
    assert wrong.exit_code == 1
    assert "folder/none.npy: no such file" in wrong.stderr
