"""The index: neighbours as by brute force, each file once whatever happens, nothing mixed."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from typer.testing import CliRunner

import relax
from relax.modalities.image.pictures import pictures_below
from relax.retrieval import index as index_

pytest.importorskip("lancedb", reason="lancedb (extra: match) is not installed")

TRANSFORM = relax.ImageTransform(size=(28, 28))


@pytest.fixture
def encoder(tiny):
    return relax.Encoder(tiny, TRANSFORM, name="tiny")


@pytest.fixture
def folder(tmp_path):
    """Eleven noisy pictures, two of them nearly the same, one of them below."""
    generator = np.random.default_rng(0)
    made = tmp_path / "pictures"
    (made / "below").mkdir(parents=True)
    for number in range(11):
        picture = generator.integers(0, 255, (6, 6, 3), dtype=np.uint8)
        if number == 10:
            picture = np.asarray(Image.open(made / "3.png")) ^ 1
        Image.fromarray(picture).save(made / ("below/9.png" if number == 9 else f"{number}.png"))
    return made


@pytest.fixture
def small_chunks(monkeypatch):
    monkeypatch.setattr(index_, "CHUNK", 4)


def paths_in(index):
    return sorted(path for path, _ in index._store.stamps())


def test_neighbours_and_duplicates_are_those_of_brute_force(encoder, folder, tmp_path, small_chunks):
    index = relax.Index.create(tmp_path / "index", encoder)
    added = index.add(encoder, folder)
    assert (added.added, added.known, added.failed) == (11, 0, {})
    files = pictures_below(folder)
    vectors = torch.nn.functional.normalize(encoder.encode([str(f) for f in files]), dim=1).numpy()
    cosines = vectors @ vectors.T
    for query in (0, 5):
        order = np.argsort(-cosines[query])[:4]
        found = index.nearest(encoder.encode(str(files[query]))[0], 4)
        assert [n.path for n in found] == [str(files[i]) for i in order]
        np.testing.assert_allclose([n.similarity for n in found], cosines[query][order], atol=1e-5)
    threshold = float(np.sort(cosines[np.triu_indices(11, 1)])[-5])
    expected = {(str(files[i]), str(files[j])) for i in range(11) for j in range(i) if cosines[i, j] >= threshold}
    found = index.duplicates(threshold)
    assert {tuple(sorted(pair[:2], reverse=True)) for pair in found} == {
        tuple(sorted(p, reverse=True)) for p in expected
    }
    assert {Path(name).name for name in found[0][:2]} == {"3.png", "10.png"}


def test_only_new_and_changed_files_are_encoded(encoder, folder, tmp_path, small_chunks):
    index = relax.Index.create(tmp_path / "index", encoder)
    index.add(encoder, folder)
    Image.new("RGB", (9, 9), "red").save(folder / "new.png")
    Image.new("RGB", (9, 9), "blue").save(folder / "0.png")
    again = relax.Index.create(tmp_path / "index", encoder)
    added = again.add(encoder, folder)
    assert (added.added, added.known) == (2, 10)
    assert paths_in(again) == [str(path) for path in pictures_below(folder)]
    assert again.nearest(encoder.encode(str(folder / "0.png"))[0], 1)[0].path == str(folder / "0.png")


def test_damaged_files_are_named_and_skipped(encoder, folder, tmp_path, small_chunks):
    (folder / "bad.jpg").write_bytes(b"not a picture")
    (folder / "empty.png").touch()
    index = relax.Index.create(tmp_path / "index", encoder)
    added = index.add(encoder, folder)
    assert added.added == len(index) == 11
    assert {Path(path).name for path in added.failed} == {"bad.jpg", "empty.png"}
    assert "not a picture" in added.failed[str(folder / "bad.jpg")]


def test_an_interrupted_run_goes_on(encoder, folder, tmp_path, small_chunks):
    index = relax.Index.create(tmp_path / "index", encoder)

    def stop(done, total):
        if done == 8:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        index.add(encoder, folder, stop)
    again = relax.Index.create(tmp_path / "index", encoder)
    assert len(again) == 8
    assert again.add(encoder, folder).added == 3
    assert paths_in(again) == [str(path) for path in pictures_below(folder)]


SLOW = """
import sys, time, torch, relax
from relax.retrieval import index as index_
from relax.modalities.image.pictures import pictures_below
index_.CHUNK = 1

def slow(batch):
    time.sleep(0.05)
    return batch.flatten(1)[:, :9] + 1

encoder = relax.Encoder(slow, relax.ImageTransform(size=(28, 28)), name="slow")
index = relax.Index.create(sys.argv[1], encoder)
index.add(encoder, sys.argv[2], lambda done, total: print(done, flush=True))
"""


def test_killed_at_any_point_each_file_is_there_once(folder, tmp_path):
    command = [sys.executable, "-c", SLOW, str(tmp_path / "index"), str(folder)]
    for wait_for in (1, 5):
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        for _ in range(wait_for):
            process.stdout.readline()
        time.sleep(0.02)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    subprocess.run(command, check=True, capture_output=True)
    index = relax.Index(tmp_path / "index")
    assert paths_in(index) == [str(path) for path in pictures_below(folder)]
    assert len(index) == 11


def test_a_second_writer_is_refused_and_a_reader_is_not(encoder, folder, tmp_path):
    filelock = pytest.importorskip("filelock")
    index = relax.Index.create(tmp_path / "index", encoder)
    index.add(encoder, folder)
    with filelock.FileLock(tmp_path / "index" / ".lock"):
        with pytest.raises(relax.ArgumentError, match="another process is writing"):
            index.add(encoder, folder)
        assert len(relax.Index(tmp_path / "index").nearest(torch.ones(12), 2)) == 2


def test_other_encoders_are_refused_not_mixed(encoder, folder, tmp_path):
    relax.Index.create(tmp_path / "index", encoder).add(encoder, folder)
    other = relax.Encoder(encoder.model, relax.ImageTransform(size=(32, 32)), name="tiny")
    with pytest.raises(relax.ArgumentError, match="different: transform"):
        relax.Index.create(tmp_path / "index", other)
    with torch.no_grad():
        for parameter in encoder.model.parameters():
            parameter.copy_(torch.randn_like(parameter))
    with pytest.raises(relax.ArgumentError, match="weights have changed"):
        relax.Index.create(tmp_path / "index", encoder)


def test_what_is_no_index_is_said(encoder, folder, tmp_path):
    with pytest.raises(relax.InputError, match="no index here"):
        relax.Index(tmp_path)
    with pytest.raises(relax.ArgumentError, match="not empty and no index"):
        relax.Index.create(folder, encoder)
    relax.Index.create(tmp_path / "index", encoder)
    about = tmp_path / "index" / "about.json"
    about.write_text(json.dumps({**json.loads(about.read_text()), "schema": 7}))
    with pytest.raises(relax.InputError, match="schema 7"):
        relax.Index(tmp_path / "index")
    about.write_text("{")
    with pytest.raises(relax.InputError, match="cannot be read"):
        relax.Index(tmp_path / "index")
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(relax.InputError, match="no image files"):
        relax.Index.create(tmp_path / "two", encoder).add(encoder, empty)
    with pytest.raises(relax.InputError, match="no such folder"):
        pictures_below(tmp_path / "nowhere")


@pytest.mark.slow
def test_the_commands_index_match_and_find_duplicates(folder, tmp_path):
    from relax.cli import app

    (folder / "bad.jpg").write_bytes(b"not a picture")
    run = CliRunner().invoke
    made = str(tmp_path / "index")
    result = run(app, ["index", str(folder), "--out", made, "--json", "--quiet", "--encoder", "fashion:untrained"])
    assert result.exit_code == 1
    assert json.loads(result.stdout)["added"] == 11
    out = str(tmp_path / "out")
    query = str(folder / "3.png")
    result = run(app, ["match", query, made, "-k", "2", "--explain", "--masks", "256", "--out", out, "--json"])
    assert result.exit_code == 0, result.output
    first, second = map(json.loads, result.stdout.splitlines())
    assert Path(first["match"]).name == "10.png"  # not the query itself, which is in the index too
    assert 1 > first["similarity"] > second["similarity"]
    assert all(Path(file).exists() for file in second["files"])
    assert "data:image/png" in (tmp_path / "out" / "3-matches.html").read_text()
    result = run(app, ["duplicates", made, "--threshold", "0.999", "--out", out, "--json"])
    assert result.exit_code == 0, result.output
    assert any(
        {Path(r["query"]).name, Path(r["match"]).name} == {"3.png", "10.png"}
        for r in map(json.loads, result.stdout.splitlines())
    )
    other = str(folder / "4.png")
    result = run(
        app,
        [
            "match",
            query,
            other,
            "--encoder",
            "fashion:untrained",
            "--masks",
            "256",
            "--regions",
            "--out",
            out,
            "--json",
        ],
    )
    assert len(json.loads(result.stdout)["regions"]) == 3
    assert run(app, ["match", query, str(tmp_path / "nowhere")]).exit_code == 2


def test_encoders_are_checked_when_files_are_added(encoder, folder, tmp_path):
    index = relax.Index.create(tmp_path / "index", encoder)
    other = relax.Encoder(lambda batch: batch.mean((2, 3)).repeat(1, 4), TRANSFORM, name="tiny")
    with pytest.raises(relax.ArgumentError, match=r"no longer represents|different"):
        index.add(other, folder)
    assert len(index) == 0


def test_files_that_have_gone_are_forgotten_and_links_count_once(encoder, folder, tmp_path):
    (folder / "zz.png").symlink_to(folder / "0.png")
    index = relax.Index.create(tmp_path / "index", encoder)
    assert index.add(encoder, folder).added == len(index) == 11
    (folder / "4.png").unlink()
    added = index.add(encoder, folder)
    assert (added.added, added.known, added.gone) == (0, 10, [str(folder / "4.png")])
    assert len(index) == 10


def test_damage_and_wrong_queries_are_said_in_one_line(encoder, folder, tmp_path):
    index = relax.Index.create(tmp_path / "index", encoder)
    index.add(encoder, folder)
    for vector in (torch.zeros(12), torch.full((12,), torch.nan), "a.png", torch.ones(5)):
        with pytest.raises(relax.ArgumentError):
            index.nearest(vector)
    with pytest.raises(relax.ArgumentError, match="positive integer"):
        index.nearest(torch.ones(12), 2.5)
    with pytest.raises(relax.ArgumentError, match="threshold"):
        index.duplicates("0.9")
    about = (tmp_path / "index" / "about.json").read_text()
    for text, words in (("[1]", "schema None"), ('{"schema": 2}', "is damaged")):
        (tmp_path / "index" / "about.json").write_text(text)
        with pytest.raises(relax.InputError, match=words):
            relax.Index(tmp_path / "index")
    (tmp_path / "index" / "about.json").write_text(about)
    shutil.rmtree(tmp_path / "index" / "representations.lance")
    with pytest.raises(relax.InputError, match="store is damaged") as caught:
        relax.Index(tmp_path / "index")
    assert "\n" not in str(caught.value)


@pytest.mark.slow
def test_results_of_match_and_duplicates_are_refused_or_replaced(encoder, folder, tmp_path, monkeypatch):
    from relax.cli import app

    monkeypatch.setattr("relax.encoders.load_encoder", lambda name, **options: encoder)
    relax.Index.create(tmp_path / "index", encoder).add(encoder, folder)
    index, out = str(tmp_path / "index"), tmp_path / "out"
    query, other = str(folder / "3.png"), str(folder / "4.png")
    common = ["--explain", "--masks", "256", "--out", str(out), "--quiet"]
    commands = {
        "3-4.png": ["match", query, other, "--masks", "256", "--out", str(out)],
        "3-matches.html": ["match", query, index, "-k", "1", *common],
        "duplicates.html": ["duplicates", index, "--threshold", "0.9", "--limit", "1", *common],
    }
    run = CliRunner().invoke
    for name, command in commands.items():
        first = run(app, command)
        assert first.exit_code == 0, first.output
        before = {file: file.stat().st_mtime_ns for file in out.iterdir()}
        assert out / name in before
        refused = run(app, command)
        assert refused.exit_code == 2
        assert "exists; give --overwrite, or another --out" in refused.output
        assert {file: file.stat().st_mtime_ns for file in out.iterdir()} == before
        replaced = run(app, [*command, "--overwrite"])
        assert replaced.exit_code == 0, replaced.output
        assert (out / name).stat().st_mtime_ns > before[out / name]
    # an interrupted run leaves no page, only explanations
    for page, stem in (("3-matches.html", "3-match-1"), ("duplicates.html", "duplicate-1")):
        (out / page).unlink()
        refused = run(app, commands[page])
        assert refused.exit_code == 2
        assert stem in refused.output
        assert not (out / page).exists()


def test_match_and_duplicates_write_alone(encoder, folder, tmp_path, monkeypatch):
    from relax.cli import app
    from relax.runs.files import only_writer

    monkeypatch.setattr("relax.encoders.load_encoder", lambda name, **options: encoder)
    relax.Index.create(tmp_path / "index", encoder).add(encoder, folder)
    out = str(tmp_path / "out")
    query, other, index = str(folder / "3.png"), str(folder / "4.png"), str(tmp_path / "index")
    (tmp_path / "out").mkdir()
    with only_writer(tmp_path / "out"):
        for command in (["match", query, other], ["match", query, index], ["duplicates", index]):
            result = CliRunner().invoke(app, [*command, "--out", out, "--overwrite"])
            assert result.exit_code == 2
            assert "another process is writing" in result.output
    assert not list((tmp_path / "out").iterdir())


def test_only_results_with_the_numbers_that_are_written_count(tmp_path):
    from relax.retrieval.rows import numbered_results

    for name in ("a[1]-match-1.png", "a[1]-match-2-b.npz", "a[1]-match-3.png", "a1-match-1.png", "a[1]-match-1.txt"):
        (tmp_path / name).touch()
    assert [file.name for file in numbered_results(tmp_path, "a[1]-match", 2)] == [
        "a[1]-match-1.png",
        "a[1]-match-2-b.npz",
    ]
