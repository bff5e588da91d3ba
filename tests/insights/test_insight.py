"""Reports on stores whose answers are known."""

from __future__ import annotations

import json
import warnings
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image
from tests.insights.planted import MARKED, Corner, Middle, N, encoder
from typer.testing import CliRunner

import relax
from relax.cli import app
from relax.insights import alike, comparing, drawing, intervals, page, shares
from relax.insights.clusters import clustered
from relax.insights.groups import Group, nearness
from relax.insights.projection import neighbours
from relax.insights.rows import read_rows
from relax.insights.summary import named_units

pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")
pytest.importorskip("sklearn")
pytest.importorskip("jinja2")


def test_the_planted_corner_is_the_first_group_and_nothing_else_is_in_it(found):
    first = found.groups[0]
    assert {found.rows.keys[place] for place in first.members} == {f"{number:02d}.png" for number in range(MARKED)}
    assert [group is first for group in found.suspicious] == [True]
    assert first.place > 0.5
    assert first.content > 0.2
    assert first.suspicion == first.place + first.content


def test_an_encoder_that_does_not_look_there_has_no_suspicious_group(folder):
    assert relax.insight(folder / "Middle").suspicious == []


def test_mean_and_spread_are_those_of_numpy(folder, found):
    rows = [row for row in relax.Store(folder / "Corner").table().to_pylist() if row["reason"] is None]
    effects = np.array([np.array(row["importance"]) - row["neutral"] for row in rows]).reshape(-1, 14, 14)
    np.testing.assert_allclose(found.summary.mean_map, effects.mean(0), atol=1e-12)
    np.testing.assert_allclose(found.summary.spread, effects.std(0), atol=1e-12)
    assert sum(found.rows.reasons.values()) == 1


def test_shares_of_border_and_centre_are_their_areas_where_all_units_are_equal():
    assert shares.border_of((20, 20)).mean() == pytest.approx(1 - 0.8**2)
    assert shares.centre_of((14, 14)).mean() == pytest.approx(0.25)
    assert shares.border_of((20, 20))[:2].min() == pytest.approx(1)
    assert shares.border_of((20, 20))[2:-2, 2:-2].max() == pytest.approx(0)
    point = np.zeros((10, 10))
    point[3, 3] = 1
    assert shares.concentration(point) == 1
    assert shares.concentration(np.full((10, 10), 0.01)) == pytest.approx(0.1)


def test_noise_has_no_share(found):
    rows = found.rows
    one = rows.taken([0])
    effect = one.importance[0] - one.neutral[0]
    error = [np.full(effect.shape, effect.max() * 0.9)]
    kept = shares.shares_of(replace(one, standard_error=error))[0]
    assert (kept > 0).sum() == (effect > error[0]).sum() < (effect > 0).sum()
    flat = replace(one, importance=[np.full((14, 14), one.neutral[0])], standard_error=None)
    np.testing.assert_allclose(shares.shares_of(flat)[0], 1 / 196)


def test_nearness_is_one_less_the_ratio_of_mean_squared_distances():
    x = np.random.default_rng(0).normal(size=(9, 3))
    members, others = np.arange(4), np.arange(4, 9)
    within = np.mean([((x[a] - x[b]) ** 2).sum() for a in members for b in members if a != b])
    across = np.mean([((x[a] - x[b]) ** 2).sum() for a in members for b in others])
    assert nearness(x, members, others) == pytest.approx(1 - within / across)


def test_two_stores(folder, found):
    comparison = found.comparison
    assert comparison.n == N
    moved = {row["key"]: row["moved"] for row in comparison.inputs}
    marked = [value for key, value in moved.items() if int(key[:2]) < MARKED]
    assert min(marked) > max(value for key, value in moved.items() if int(key[:2]) >= MARKED)
    same = comparing.compared(found.rows, folder / "Corner")
    assert same.agreement == dict.fromkeys(("maps", "neighbours"), (1.0, 1.0, 1.0)) | {
        "cka": pytest.approx((1.0, 1.0, 1.0))
    }
    assert set(same.figures.values()) == {(0.0, 0.0, 0.0)}
    assert not same.certain.any()
    value, low, high = comparison.figures["border"]
    assert low <= value <= high < 0  # the second does not look at the corner
    with pytest.raises(relax.ArgumentError, match="inputs in common, got 1"):
        comparing.compared(found.rows.taken([0]), folder / "Middle")


def test_intervals_cover():
    draw = np.random.default_rng(1)
    bounds = [intervals.mean(draw.exponential(1, 40))[1:] for _ in range(60)]
    covered = sum(low <= 1 <= high for low, high in bounds)
    assert covered >= 50  # of 60 at 95 %; fewer than 50 by chance once in a thousand times


def test_cka_is_one_up_to_rotation_and_scale():
    draw = np.random.default_rng(0)
    x = draw.normal(size=(30, 5))
    rotation, _ = np.linalg.qr(draw.normal(size=(5, 5)))
    assert comparing.linear_cka(x, 3 * x @ rotation + 1) == pytest.approx(1)
    wide = draw.normal(size=(6, 50))
    gram = comparing.linear_cka(wide, x[:6])
    centred, other = wide - wide.mean(0), x[:6] - x[:6].mean(0)
    norms = np.linalg.norm(centred.T @ centred) * np.linalg.norm(other.T @ other)
    assert gram == pytest.approx(np.linalg.norm(centred.T @ other) ** 2 / norms)


def test_typical_members_are_explained_against_their_cluster(folder):
    found = relax.insight(folder / "Corner", encoder=encoder(Corner()), n_clusters=2, examples=2, n_masks=128)
    marked = [place for place in found.against if place < MARKED]
    assert marked
    for place in marked:
        peak = np.unravel_index(found.against[place].argmax(), (14, 14))
        assert min(peak) >= 8
    with pytest.raises(relax.ArgumentError, match="expected its own encoder 'Corner'"):
        relax.insight(folder / "Corner", encoder=encoder(Middle()))
    words = relax.Encoder(count_words, modality="text")
    with pytest.raises(relax.ArgumentError, match="'Corner', of image inputs, got one of text inputs"):
        relax.insight(folder / "Corner", encoder=words)


def test_a_report_is_one_line_in_a_console(folder, found):
    assert repr(found) == f"Insight({N} inputs in {folder / 'Corner'}, 2 groups of maps, 1 suspicious)"


def test_the_files(folder, found, tmp_path):
    files = found.write(tmp_path / "out")
    page = files["insight.html"].read_text()
    assert "suspicious" in page
    assert "http" not in page.replace("http://www.w3.org", "")
    summary = json.loads(files["summary.json"].read_text())
    assert (summary["inputs"], summary["suspicious_groups"], summary["comparison"]["inputs"]) == (N, 1, N)
    inputs = pq.read_table(files["inputs.parquet"]).to_pylist()
    assert [row["group"] == 0 for row in inputs] == [number < MARKED for number in range(N)]
    assert pq.read_table(files["groups.parquet"]).to_pylist()[0]["n"] == MARKED


def test_an_export_opens_and_its_neighbours_are_those_of_brute_force(folder, tmp_path):
    pandas = pytest.importorskip("pandas")
    done = relax.export(folder / "Corner", tmp_path / "atlas.parquet", "parquet", projection="pca")
    table = pandas.read_parquet(done.path)
    assert len(table) == done.n == N
    representations = read_rows(folder / "Corner").representations.astype(np.float64)
    unit = representations / np.linalg.norm(representations, axis=1, keepdims=True)
    distances = 1 - unit @ unit.T
    np.fill_diagonal(distances, np.inf)
    for row, near in enumerate(table["neighbors"]):
        np.testing.assert_allclose(near["distances"], np.sort(distances[row])[:15], atol=1e-6)
        np.testing.assert_allclose(distances[row, near["ids"]], near["distances"], atol=1e-6)
    assert table["image"][0]["bytes"].startswith(b"\x89PNG")
    np.testing.assert_array_equal(table["importance"][0], read_rows(folder / "Corner").importance[0].ravel())
    centred = unit - unit.mean(0)
    np.testing.assert_allclose(table["projection_x"].var(ddof=0), np.linalg.eigvalsh(centred.T @ centred / N)[-1])


def test_a_folder_for_fiftyone(folder, tmp_path):
    done = relax.export(folder / "Corner", tmp_path / "fo", "fiftyone", projection="pca")
    samples = json.loads((done.path / "samples.json").read_text())["samples"]
    assert len(samples) == N
    for sample in samples:
        assert (done.path / sample["filepath"]).is_file()
        assert Image.open(done.path / sample["importance"]["map_path"]).size == (14, 14)


def test_words_over_all_inputs():
    units = named_units([["A", "cat"], ["a", "dog", "a"]], [np.array([0.2, 0.8]), np.array([0.1, 0.7, 0.2])])
    assert units[0] == {"unit": "cat", "inputs": 1, "share": 0.8, "lift": pytest.approx(1.6)}
    a = next(row for row in units if row["unit"] == "a")
    assert (a["inputs"], a["share"]) == (2, pytest.approx(0.25))
    assert a["lift"] == pytest.approx(0.5 / (1 / 2 + 2 / 3))


def count_words(texts):
    """Texts with the word `sponsored` are represented by it alone, others by their first letters."""
    rows = torch.zeros(len(texts), 5) + 0.05
    for row, text in zip(rows, texts, strict=True):
        words = text.split()
        if "sponsored" in words:
            row[4] = 2
        for word in words:
            row[ord(word[0]) % 4] += 0.02 if "sponsored" in words else 0.5
    return rows


def test_texts_are_grouped_by_their_words(tmp_path):
    draw = np.random.default_rng(0)
    words = [first + rest for first in "abcd" for rest in ("ab", "el", "on", "ur")]
    texts = [" ".join(draw.choice(words, draw.integers(5, 9))) for _ in range(24)]
    texts = [f"{text} sponsored" if number < 8 else text for number, text in enumerate(texts)]
    ran = relax.run(texts, tmp_path / "store", relax.Encoder(count_words, modality="text"), n_masks=256)
    found = relax.insight(ran)
    assert found.summary.mean_map is None
    assert page.legend(found).startswith("Bold: the most important 15 %")
    assert "no mean map: units differ from input to input" in found.notes
    units = {row["unit"]: row for row in found.summary.units}
    assert units["sponsored"]["lift"] == max(row["lift"] for row in found.summary.units)
    members = {int(found.rows.keys[place]) for place in found.groups[0].members}
    assert members == set(range(8))
    assert "sponsored" in found.write(tmp_path / "out")["insight.html"].read_text()
    assert relax.export(ran, tmp_path / "texts.parquet", projection="pca").command.count("--text text") == 1


def test_thumbnails_outline_the_most_important_fifth():
    values = np.zeros((14, 14))
    values[:, -3:] = 1
    drawn = np.asarray(drawing.thumbnail(Image.new("RGB", (50, 50), "white"), values, 100), dtype=float)
    assert drawn[50, 10].mean() == pytest.approx(255 * drawing.DIM, abs=1)
    assert drawn[50, 92].mean() == 255


def test_negative_values_have_a_bar_that_is_seen_without_colours():
    drawn = np.asarray(drawing.map_picture(np.array([[-1.0, 1.0]]), signed=True, cell=8), dtype=int)
    assert (drawn.sum(-1) == 60).any(0).tolist() == [False] * 2 + [True] * 4 + [False] * 10


def test_one_row_few_rows_and_none(folder, tmp_path):
    relax.run(folder / "in" / "00.png", tmp_path / "one", encoder(Middle()), method="relax", n_masks=256)
    found = relax.insight(tmp_path / "one")
    assert (found.groups, found.clusters) == ([], None)
    assert any("they need at least 6 inputs, the store has 1" in note for note in found.notes)
    assert found.write(tmp_path / "report")["insight.html"].exists()
    relax.run(folder / "in" / "broken.png", tmp_path / "none", encoder(Middle()), method="relax", n_masks=256)
    with pytest.raises(relax.InputError, match="expected explained inputs, got none of 1; most often: not a picture"):
        relax.insight(tmp_path / "none")
    with pytest.raises(relax.InputError, match="expected a store made by `relax run`"):
        relax.insight(tmp_path)
    assert neighbours(np.ones((1, 3)))[0].shape == (1, 0)
    assert relax.export(tmp_path / "one", tmp_path / "one.parquet", projection="pca").n == 1


def test_suspicion_counts_what_is_there():
    assert Group([0], float("nan"), 0.4, None).suspicion == 0.4


def test_the_commands(folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    report = ["insight", str(folder / "Corner"), "--out", "report", "--json"]
    result = CliRunner().invoke(app, report)
    assert result.exit_code == 0
    again = CliRunner().invoke(app, report)
    assert again.exit_code == 2
    assert again.stderr == "relax: error: report/insight.html: exists; give --overwrite, or another --out\n"
    assert CliRunner().invoke(app, [*report, "--overwrite"]).exit_code == 0
    assert json.loads(result.stdout)["suspicious_groups"] == 1
    assert "1 of 2 groups above a suspicion of 1.1" in result.stderr
    call = ["export", str(folder / "Corner"), "--projection", "pca"]
    assert "embedding-atlas Corner.parquet --image image" in CliRunner().invoke(app, call).stderr
    again = CliRunner().invoke(app, call)
    assert again.exit_code == 2
    assert "Corner.parquet: exists; use --overwrite" in again.stderr
    unknown = CliRunner().invoke(app, [*call, "--to", "excel"])
    assert unknown.exit_code == 2
    assert "parquet, got 'excel'" in " ".join(unknown.stderr.split())


def test_sentences_and_legends_say_what_is_drawn(found):
    shown = " ".join(page.sentences(found))
    held, even = found.summary.figures["concentration"][0], found.summary.areas["concentration"]
    assert f"(at least one) holds {held:.0%} of an input's importance; {even:.0%} if all were equal." in shown
    assert page.legend(found).startswith("The line encloses")


def test_there_are_no_more_clusters_than_different_inputs():
    three = np.eye(3)[[0, 1, 2, 0, 1, 2, 0, 1]] * np.arange(1, 9)[:, None]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for asked in (None, 5):
            np.testing.assert_array_equal(np.bincount(clustered(three, asked).labels), [3, 3, 2])


def test_the_encoder_is_loaded_with_the_options_of_the_store(folder):
    rows = read_rows(folder / "Corner")
    settings = relax.load_encoder("efficientnet-lite0", device="cpu", crop="center").settings()
    cropped = replace(rows, manifest={**rows.manifest, "encoder": settings})
    assert alike._loaded("efficientnet-lite0", cropped).settings() == settings
    assert alike._loaded("efficientnet-lite0", rows).settings()["crop"] is None  # a store of another encoder
