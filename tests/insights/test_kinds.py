"""Reports and exports of stores of series, tables and sound; UMAP, where it is installed."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

import relax
from relax.insights import projection
from relax.insights.intervals import MANY, mean
from relax.insights.projection import neighbours, projected

pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")
pytest.importorskip("sklearn")
pytest.importorskip("jinja2")

N = 12


def last_quarter(x: torch.Tensor) -> torch.Tensor:
    """The mean and the largest value of the last quarter of a recording or a series, and little of the rest."""
    x = x.flatten(1)
    end = x[:, -x.shape[1] // 4 :]
    return torch.stack([end.mean(1), end.square().mean(1), 0.01 * x.mean(1)], 1) + 1.0


def reported(ran: relax.Ran, out: Path) -> tuple[relax.Insight, str, list[dict]]:
    """The report of a store, its page, and the rows of an export."""
    found = relax.insight(ran)
    files = found.write(out / "report")
    assert json.loads(files["summary.json"].read_text())["inputs"] == N
    done = relax.export(ran, out / "out.parquet", "parquet", projection="pca")
    assert (done.n, done.gone) == (N, 0)
    return found, files["insight.html"].read_text(), pq.read_table(done.path).to_pylist()


def test_series(tmp_path):
    rng = np.random.default_rng(0)
    series = [rng.standard_normal((1, 64)).astype(np.float32) for _ in range(N)]
    for number in range(4):
        series[number][:, -16:] += 4
    encoder = relax.Encoder(last_quarter, modality="series")
    found, page, rows = reported(relax.run(series, tmp_path / "store", encoder, n_masks=128), tmp_path)
    assert found.rows.modality == "series"
    assert found.summary.mean_map is not None
    quarter = found.summary.mean_map.reshape(-1)
    assert quarter[-len(quarter) // 4 :].sum() > quarter[: -len(quarter) // 4].sum()
    assert found.clusters is not None
    assert np.array(rows[0]["importance"]).size == found.rows.importance[0].size
    assert "Clusters" in page


def test_a_table(tmp_path):
    pandas = pytest.importorskip("pandas")
    rng = np.random.default_rng(0)
    frame = pandas.DataFrame(rng.standard_normal((N, 5)), columns=["age", "height", "dose", "weight", "site"])
    frame.loc[:3, "dose"] += 6

    def dose(rows):
        return np.stack([rows["dose"], rows["dose"] ** 2, 0.1 * rows["age"]], 1).astype(np.float32)

    encoder = relax.Encoder(dose, modality=relax.Table(reference_data=frame))
    rows = [row for _, row in frame.iterrows()]
    found, page, exported = reported(relax.run(rows, tmp_path / "store", encoder, n_masks=64), tmp_path)
    assert found.summary.units[0]["unit"] == "dose"
    assert "dose" in page
    assert len(exported[0]["importance"]) == 5
    assert len({row["text"] for row in exported}) == N  # with the values of the row
    assert exported[0]["text"].startswith("age = ")
    assert "The units with the largest values of the map." in page


def test_sound(tmp_path):
    rng = np.random.default_rng(0)
    recordings = [0.1 * rng.standard_normal(2000).astype(np.float32) for _ in range(N)]
    for number in range(4):
        recordings[number][-500:] *= 8
    encoder = relax.Encoder(last_quarter, modality=relax.Sound(rate=1000))
    found, page, rows = reported(relax.run(recordings, tmp_path / "store", encoder, n_masks=64), tmp_path)
    assert found.rows.modality == "sound"
    assert found.clusters is not None
    assert len(rows) == N
    assert "Clusters" in page


def test_umap_keeps_far_groups_apart():
    pytest.importorskip("umap", reason="umap-learn is not installed: the projection by UMAP is NOT tested")
    rng = np.random.default_rng(0)
    points = np.repeat(np.eye(3, 8), 12, axis=0) + 0.02 * rng.standard_normal((36, 8))
    places, how = projected(points, "auto", seed=1)
    assert (how, places.shape) == ("umap", (36, 2))
    np.testing.assert_array_equal(places, projected(points, "umap", seed=1)[0])  # a seed makes it the same again
    near = neighbours(points, 5)[0]
    distances = np.linalg.norm(places[:, None] - places[None], axis=2)
    for one, others in enumerate(near):
        assert distances[one, others].max() < min(distances[one, far] for far in range(36) if far // 12 != one // 12)


def test_without_umap_auto_is_pca_and_asking_for_it_names_the_extra(monkeypatch):
    monkeypatch.setattr(projection, "find_spec", lambda name: None)
    monkeypatch.setitem(__import__("sys").modules, "umap", None)
    points = np.random.default_rng(0).standard_normal((9, 4))
    assert projected(points)[1] == "pca"
    with pytest.raises(relax.MissingExtraError, match="umap"):
        projected(points, "umap")


def test_the_interval_of_many_values_is_that_of_few():
    values = np.random.default_rng(0).exponential(size=MANY)
    few, many = mean(values), mean([*values, float(values.mean())])
    np.testing.assert_allclose(few, many, atol=0.1 * (few[2] - few[1]))


def test_an_encoder_of_ones_own_explains_rows_against_their_clusters(tmp_path):
    pytest.importorskip("pandas")
    values = np.random.default_rng(0).standard_normal((12, 3))
    values[:6, 0] += 8
    table = tmp_path / "rows.csv"
    np.savetxt(table, values, delimiter=",", header="age,dose,site", comments="")
    own = tmp_path / "own.py"
    own.write_text(
        "from sklearn.preprocessing import StandardScaler\nimport pandas\n"
        f"scaler = StandardScaler().fit(pandas.read_csv({str(table)!r}))\n"
    )
    name = f"python:{own}:scaler"
    ran = relax.run(table, tmp_path / "store", name, encoder_options={"data": str(table)}, n_masks=32)
    found = relax.insight(ran, encoder=name, n_masks=32)
    assert {*found.clusters.typical(0, 8), *found.clusters.typical(1, 8)} <= {*found.against}
    assert not [note for note in found.notes if "gone" in note]
