"""Sources: the same pictures in a folder, a glob, tables, a data set and a list."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import relax
from relax.modalities import MODALITIES
from relax.runs.sources import source_of
from relax.runs.worker import path_of
from runs.small import encoder, run

pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")

IMAGE = encoder().modality


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    folder = tmp_path / "in"
    (folder / "deep").mkdir(parents=True)
    for number, name in enumerate(("a.png", "b.png", "deep/c.png")):
        rng = np.random.default_rng(number)
        Image.fromarray(rng.integers(0, 255, (30, 30, 3), dtype=np.uint8)).save(folder / name)
    return folder


def paths_of(source, folder: Path) -> list[str]:
    opened = source_of(source, IMAGE)
    paths = [path_of(opened[k].value, IMAGE, opened.folder) for k in range(len(opened))]
    return [path.relative_to(folder).as_posix() for path in paths]


def test_files_are_named_by_their_paths_below_the_folder(pictures):
    opened = source_of(pictures, IMAGE)
    assert [opened[k].key for k in range(len(opened))] == ["a.png", "b.png", "deep/c.png"]
    assert [item.key for item in map(source_of(str(pictures / "**" / "*.png"), IMAGE).__getitem__, range(3))] == [
        "a.png",
        "b.png",
        "deep/c.png",
    ]
    assert paths_of(str(pictures / "*" / "c.png"), pictures) == ["deep/c.png"]
    assert source_of(str(pictures / "?.png"), IMAGE)[1].key == "b.png"
    assert source_of(pictures / "a.png", IMAGE)[0].key == "a.png"


@pytest.mark.parametrize("suffix", ["parquet", "csv", "tsv", "jsonl"])
def test_paths_in_tables_start_from_the_table(pictures, suffix):
    names, file = ["deep/c.png", str(pictures / "a.png")], pictures / f"table.{suffix}"
    if suffix == "parquet":
        pq.write_table(pa.table({"picture": names}), file)
    elif suffix == "jsonl":
        file.write_text("".join(json.dumps({"picture": name}) + "\n" for name in names))
    else:
        file.write_text("\n".join(["picture", *names]) + "\n")
    assert paths_of(file, pictures) == ["deep/c.png", "a.png"]
    assert [source_of(file, IMAGE)[k][:3] for k in range(2)] == [(0, "0", 0), (1, "1", 1)]


def test_columns_are_chosen_by_name(pictures):
    pq.write_table(pa.table({"picture": ["a.png"], "label": ["x"]}), pictures / "two.parquet")
    assert source_of(pictures / "two.parquet", IMAGE, "picture")[0].value == "a.png"
    with pytest.raises(relax.ArgumentError, match=r"expected column=.*one of picture, label"):
        source_of(pictures / "two.parquet", IMAGE)
    with pytest.raises(relax.ArgumentError, match="no column 'image'; expected one of picture, label"):
        source_of(pictures / "two.parquet", IMAGE, "image")


def test_a_column_of_several_types_is_read_row_by_row(tmp_path):
    values = ["cats purr", 3, None, ["a"], "dogs bark"]
    lines = [json.dumps({"id": number, "body": value}) for number, value in enumerate(values)]
    (tmp_path / "t.jsonl").write_text("\n\n".join(lines) + "\n")
    opened = source_of(tmp_path / "t.jsonl", MODALITIES["text"](), "body")
    assert [opened[row].value for row in range(len(opened))] == values
    (tmp_path / "bad.jsonl").write_text(f"{lines[0]}\n{{no JSON\n")
    with pytest.raises(relax.InputError, match="line 2 is no JSON"):
        source_of(tmp_path / "bad.jsonl", MODALITIES["text"](), "body")
    (tmp_path / "list.jsonl").write_text(f"{lines[0]}\n[1]\n")
    with pytest.raises(relax.InputError, match="line 2: expected a JSON object, got list"):
        source_of(tmp_path / "list.jsonl", MODALITIES["text"](), "body")


def test_sources_that_cannot_be_read_are_named(tmp_path):
    (tmp_path / "bad.parquet").write_bytes(b"PAR1 and no more")
    (tmp_path / "none.csv").write_text("picture\n")
    (tmp_path / "empty").mkdir()
    for source, words in (
        ("bad.parquet", "cannot be read as a table"),
        ("none.csv", "at least one input"),
        ("empty", "no image files in this folder"),
        ("missing.csv", "no such file"),
        ("*.png", "no files match"),
    ):
        with pytest.raises(relax.InputError, match=words):
            source_of(str(tmp_path / source), IMAGE)
    with pytest.raises(relax.InputError, match="an empty list"):
        source_of([], IMAGE)
    with pytest.raises(relax.ArgumentError, match="got int"):
        source_of(3, IMAGE)


def test_every_source_gives_the_same_maps(tmp_path, pictures):
    expected = by_path(run(pictures, tmp_path / "folder"))
    pq.write_table(pa.table({"x": ["a.png", "b.png", "deep/c.png", "missing.png", None]}), pictures / "t.parquet")
    table = by_path(run(pictures / "t.parquet", tmp_path / "table"))
    assert "no such file" in table.pop(str(pictures / "missing.png"))
    assert "empty cell" in table.pop(None)
    assert table == expected
    paths = [str(pictures / name) for name in ("a.png", "b.png", "deep/c.png")]
    assert by_path(run(paths, tmp_path / "list")) == expected
    encoded = [(pictures / name).read_bytes() for name in ("a.png", "deep/c.png")]
    pq.write_table(pa.table({"x": [*encoded, b"no picture"]}), tmp_path / "bytes.parquet")
    rows = run(tmp_path / "bytes.parquet", tmp_path / "bytes").store.table().to_pylist()
    assert [row["reason"] for row in rows] == [None, None, "10 bytes that are not a picture"]
    opened = [Image.open(path) for path in paths]
    arrays = np.stack([np.asarray(picture) for picture in opened])
    assert run(arrays, tmp_path / "arrays").done == run(opened, tmp_path / "opened").done == 3


def by_path(ran) -> dict:
    rows = ran.store.table(["path", "importance", "reason"]).to_pylist()
    return {row["path"]: row["importance"] or row["reason"] for row in rows}


def test_data_sets_of_the_hub_s_library(tmp_path, pictures):
    datasets = pytest.importorskip("datasets")
    paths = [str(pictures / "a.png"), str(pictures / "b.png")]
    saved = datasets.Dataset.from_dict({"picture": paths, "label": [0, 1]})
    saved = saved.cast_column("picture", datasets.Image())
    saved.save_to_disk(str(tmp_path / "saved"))
    on_disk = run(tmp_path / "saved", tmp_path / "one", column="picture")
    in_memory = run(saved, tmp_path / "two", column="picture")
    assert on_disk.done == in_memory.done == 2
    assert run(tmp_path / "saved", tmp_path / "one", column="picture").known == 2
    one, two = ([row["representation"] for row in ran.store.table().to_pylist()] for ran in (on_disk, in_memory))
    assert one == two
    datasets.DatasetDict({"train": saved}).save_to_disk(str(tmp_path / "splits"))
    with pytest.raises(relax.ArgumentError, match="holds the splits train; give one of them"):
        run(tmp_path / "splits", tmp_path / "three", column="picture")
    assert run(tmp_path / "splits" / "train", tmp_path / "three", column="picture").done == 2


def test_a_table_in_another_encoding_is_named(tmp_path):
    table = tmp_path / "table.csv"
    table.write_bytes("id,body\n0,café\n".encode("latin-1"))
    with pytest.raises(relax.InputError, match=r"table\.csv: expected UTF-8 in column 'body'"):
        source_of(table, MODALITIES["text"](), "body")
    table.write_text("id,body\n0,café\n", encoding="utf-8")
    assert source_of(table, MODALITIES["text"](), "body")[0].value == "café"
