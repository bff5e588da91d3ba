"""An index of texts: passages of files and rows of tables, found, matched and explained."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from typer.testing import CliRunner

import relax
from relax.cli import app
from relax.cli.sources import kind_in
from relax.encoders.loading import ENCODERS, Family
from relax.modalities.text.passages import passages_of

pytest.importorskip("lancedb", reason="lancedb (extra: match) is not installed")
pytest.importorskip("uniseg", reason="uniseg (extra: text) is not installed")

VOCABULARY = ["cats", "dogs", "purr", "bark", "fish", "water", "sun", "moon"]


def bag(texts):
    """Counts of eight words, and a constant."""
    words = [text.lower().replace(".", " ").replace("?", " ").split() for text in texts]
    return torch.tensor([[float(one.count(word)) for word in VOCABULARY] + [0.1] for one in words])


@pytest.fixture
def encoder():
    made = relax.Encoder(bag, modality="text", name="bag-of-words", origin={"name": "bag-of-words"})
    ENCODERS.add("bag-of-words", Family("counts of words", lambda name: made))
    return made


@pytest.fixture
def folder(tmp_path):
    made = tmp_path / "texts"
    (made / "below").mkdir(parents=True)
    (made / "cats.txt").write_text("Cats purr. " * 70 + "\n\n" + "Dogs bark at the moon.")
    (made / "below" / "fish.md").write_text("Fish like water.")
    (made / "empty.txt").write_text("  ")
    (made / "latin.txt").write_bytes(b"caf\xe9")
    return made


def test_passages_are_whole_sentences_and_cover_the_text():
    text = "One two three. Four five!\n\nSix seven eight nine ten? W" + "ord w" * 25 + "ord end."
    spans = passages_of(text, 10)
    assert "".join("".join(text[a:b].split()) for a, b in spans) == "".join(text.split())
    assert all(len(text[a:b].split()) <= 10 for a, b in spans)
    assert text[slice(*spans[0])].endswith("ten?")


def test_rows_that_hold_no_text_are_numbered_and_the_others_done(encoder, tmp_path):
    values = [None, "Cats purr.", 3, "Fish like water."]
    (tmp_path / "t.jsonl").write_text("".join(json.dumps({"n": 1, "body": value}) + "\n" for value in values))
    for command in ("index", "run"):
        out = tmp_path / command
        asked = [command, str(tmp_path / "t.jsonl"), "--column", "body", "--encoder", "bag-of-words", "--out", str(out)]
        result = CliRunner().invoke(app, [*asked, "--quiet"])
        assert result.exit_code == 1
        assert "row 0 (from 0): expected a text in this cell, got None" in result.stderr
        assert "row 2 (from 0): expected a text in this cell, got 3" in result.stderr
        assert "2 added" in result.stderr or "2 explained, 2 failed" in result.stderr


def test_the_kind_of_a_column_is_that_of_its_first_text(tmp_path):
    rows = [{"id": 1, "body": None, "file": "t.jsonl"}, {"id": 2, "body": "cats", "file": "t.jsonl"}]
    table = tmp_path / "t.jsonl"
    table.write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert [kind_in(table, column, None) for column in ("body", "file")] == ["text", "image"]
    with pytest.raises(relax.InputError, match=r"t\.jsonl:id: expected texts or paths, got numbers, such as 1"):
        kind_in(table, "id", None)


def test_passages_of_a_folder_are_found_as_by_brute_force(encoder, folder, tmp_path):
    index = relax.Index.create(tmp_path / "index", encoder)
    added = index.add(encoder, folder)
    assert {Path(name).name for name in added.failed} == {"empty.txt", "latin.txt"}
    entries, directions = index._directions()
    for entry, direction in zip(entries, directions, strict=True):
        assert Path(entry.path).read_text()[entry.start : entry.stop] == entry.text
        torch.testing.assert_close(direction, F.normalize(bag([entry.text])[0], dim=0))
    assert len(entries) >= 3
    best = index.neighbours(encoder, "do dogs bark at the moon?", 2)
    assert best[0].text.endswith("Dogs bark at the moon.")
    assert index.add(encoder, folder).added == 0
    assert "passages" in repr(index)


def test_rows_of_tables_are_read_again_when_the_table_changes(encoder, tmp_path):
    table = tmp_path / "notes.jsonl"
    rows = [{"body": "cats purr", "id": 1}, {"body": "", "id": 2}, {"body": "fish in water", "id": 3}]
    table.write_text("\n".join(map(json.dumps, rows)))
    index = relax.Index.create(tmp_path / "index", encoder)
    with pytest.raises(relax.ArgumentError, match="column"):
        index.add(encoder, table)
    with pytest.raises(relax.ArgumentError, match="no column 'title'"):
        index.add(encoder, table, column="title")
    added = index.add(encoder, table, column="body")
    assert (added.added, list(added.failed)) == (2, [f"{table}#1"])
    assert index.neighbours(encoder, "purr", 1)[0].entry.row == 0
    table.write_text("\n".join(map(json.dumps, [{"body": "sun and moon", "id": 1}])))
    index.add(encoder, table, column="body")
    assert [entry.text for entry in index._directions()[0]] == ["sun and moon"]


def test_a_passage_is_told_apart_from_the_next_other_one_not_from_its_duplicate(encoder, tmp_path):
    table = tmp_path / "notes.jsonl"
    table.write_text("\n".join(json.dumps({"body": text}) for text in ("cats purr", "cats purr", "fish in water")))
    made = tmp_path / "index"
    relax.Index.create(made, encoder).add(encoder, table)
    arguments = ["match", "why do cats purr?", str(made), "-k", "3", "--explain", "--out", str(tmp_path / "out")]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output
    assert "cancels out" not in result.output
    assert "notes.jsonl#0" in result.output
    assert "notes.jsonl#1" in result.output


def test_the_commands_find_match_and_show_texts(encoder, folder, tmp_path):
    run = CliRunner().invoke
    made = str(tmp_path / "index")
    result = run(app, ["index", str(folder), "--out", made, "--encoder", "bag-of-words", "--json"])
    assert result.exit_code == 2  # the name says nothing about texts, and there are no pictures
    (folder / "latin.txt").unlink()
    (folder / "empty.txt").unlink()
    index = relax.Index.create(made, encoder)
    index.add(encoder, folder)
    out = ["--out", str(tmp_path / "out")]
    found = run(app, ["match", "why do cats purr?", made, "-k", "1", "--json", "--out", str(tmp_path / "bare")])
    assert [Path(file).name for file in json.loads(found.stdout)["files"]] == ["why-do-cats-purr-matches.html"]
    result = run(app, ["match", "why do cats purr?", made, "-k", "2", "--explain", "--json", *out])
    assert result.exit_code == 0, result.output
    rows = [json.loads(line) for line in result.stdout.splitlines()]
    assert rows[0]["text"].startswith("Cats purr.")
    assert rows[0]["regions"][0]["cell"] in ("cats", "purr?")
    assert not {"fragment", "rather"} & set(rows[0])
    page = (tmp_path / "out" / "why-do-cats-purr-matches.html").read_text()
    assert "Which words of the query put this passage before the next one?" in page
    again = run(app, ["match", "why do cats purr?", made, "-k", "2", "--explain", *out])
    assert again.exit_code == 2
    assert "exists" in again.output
    pair = run(app, ["match", "cats purr", "cats bark loudly", "--encoder", "bag-of-words", "--json", *out])
    assert json.loads(pair.stdout)["similarity"] == pytest.approx(0.5, abs=0.02)
    duplicates = run(app, ["duplicates", made, "--threshold", "0.99", "--explain", "--json", *out])
    assert duplicates.exit_code == 0, duplicates.output


@pytest.mark.parametrize(
    ("query", "target", "words"),
    [
        ("purr", "moon", "note: there is no file or folder 'moon'; it is taken as a text"),
        ("cats", "purr", "'purr'; it is taken as a text"),
        ("cats purr", "nosuch.txt", "error: nosuch.txt: no such file"),
        ("./nosuch cats", "purr", "error: "),
        ("cats", "nosuch/index", "error: nosuch/index: no such"),
        ("my cats/nosuch.md", "cats purr", "error: my cats/nosuch.md: no such file"),
        ("cats", "nosuch.png", "error: nosuch.png: no such picture"),
    ],
)
def test_words_are_texts_and_mistyped_paths_are_errors(encoder, tmp_path, query, target, words):
    asked = ["match", query, target, "--encoder", "bag-of-words", "--out", str(tmp_path / "out"), "--quiet"]
    result = CliRunner().invoke(app, asked)
    assert words in result.stderr
    assert result.exit_code == (2 if words.startswith("error") else 0)
    assert bool(list(tmp_path.glob("out/*"))) == (result.exit_code == 0)


def test_the_words_that_put_a_passage_before_the_next(encoder):
    e = relax.explain(encoder, "cats in water", relax.Corpus(["cats purr"], foil=["fish in water"]))
    assert e.labels[int(np.argmax(e.effect))] == "cats"
    assert e.labels[int(np.argmin(e.effect))] == "water"


def test_a_run_keeps_words_of_files_and_tables(encoder, folder, tmp_path):
    pytest.importorskip("pyarrow")
    ran = relax.run(folder, tmp_path / "store", encoder, n_masks=64)
    rows = {row["key"]: row for row in ran.store.table().to_pylist()}
    assert ran.failed == 2
    assert "expected UTF-8" in rows["latin.txt"]["reason"]
    fish = rows["below/fish.md"]
    assert fish["labels"] == ["Fish", "like", "water."]
    single = relax.explain(encoder, folder / "below" / "fish.md", seed=fish["seed"])
    np.testing.assert_allclose(fish["importance"], single.importance, atol=1e-6)
    table = tmp_path / "notes.csv"
    table.write_text("id,body\n1,cats purr\n2,dogs bark at night\n")
    ran = relax.run(table, tmp_path / "other", encoder, column="body")
    assert [row["labels"] for row in ran.store.table().to_pylist()] == [
        ["cats", "purr"],
        ["dogs", "bark", "at", "night"],
    ]


def test_a_pair_takes_the_options_of_an_explanation(encoder, tmp_path):
    words = ["match", "Cats purr. Fish sun.", "Cats bark. Moon.", "--encoder", "bag-of-words", "--json", "--out"]
    asked = [
        *words,
        str(tmp_path / "a"),
        "--method",
        "relax",
        "--fill",
        "dropped",
        "--kind",
        "sentences",
        "--masks",
        "64",
    ]
    result = CliRunner().invoke(app, [*asked, "--precision", "float32", "--engine", "torch"])
    assert result.exit_code == 0, result.output
    archive = next(file for file in json.loads(result.stdout)["files"] if file.endswith("-a.npz"))
    settings = relax.Explanation.load(archive).settings
    assert (settings["method"], settings["fill"]["name"], settings["masks"]["name"]) == (
        "relax",
        "dropped",
        "sentences",
    )
    plain = CliRunner().invoke(app, [*words, str(tmp_path / "b"), "--method", "occlusion"])
    assert plain.exit_code == 0, plain.output
    assert "regions" not in json.loads(plain.stdout)  # occlusion's masks do not say which word answers which


def test_neighbours_are_named_with_the_span_of_the_passage(encoder, folder, tmp_path):
    made = tmp_path / "index"
    (folder / "latin.txt").unlink()
    relax.Index.create(made, encoder).add(encoder, folder)
    out = tmp_path / "out"
    found = CliRunner().invoke(app, ["match", "dogs bark", str(made), "-k", "1", "--out", str(out)])
    start, stop = passages_of((folder / "cats.txt").read_text())[-1]
    assert f"cats.txt:{start}-{stop}" in found.stdout
    assert f"cats.txt:{start}-{stop}" in (out / "dogs-bark-matches.html").read_text()
