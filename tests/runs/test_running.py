"""Runs: a store equals single calls, whatever interrupts it."""

from __future__ import annotations

import errno
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
from PIL import Image

import relax
from relax.runs import Store, running, store
from runs.small import encoder, run

pq = pytest.importorskip("pyarrow.parquet")
pa = pytest.importorskip("pyarrow")


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Five pictures, one of them in a folder below, and one that is damaged."""
    folder = tmp_path / "in"
    (folder / "below").mkdir(parents=True)
    rng = np.random.default_rng(0)
    for name in ("a.png", "b.png", "c.jpg", "below/a.png", "e.png"):
        Image.fromarray(rng.integers(0, 255, (40, 60, 3), dtype=np.uint8)).save(folder / name)
    (folder / "d.png").write_bytes(b"\x89PNG\r\n\x1a\nno more")
    return folder


def rows_of(folder: Path, *names: str) -> dict[str, dict]:
    """Rows by key, without what differs from run to run."""
    rows = Store(folder).table().to_pylist()
    assert len({row["key"] for row in rows}) == len(rows)
    for row in rows:
        row.pop("seconds")
        row["standard_error"] = str(row["standard_error"])  # NaN of one block equals itself
    return {row["key"]: row for row in rows}


def test_a_store_equals_single_calls(tmp_path, pictures):
    ran = run(pictures, tmp_path / "out")
    assert (ran.done, ran.failed, ran.known) == (5, 1, 0)
    rows = rows_of(ran.folder)
    assert set(rows) == {"a.png", "b.png", "c.jpg", "below/a.png", "d.png", "e.png"}
    for key, row in rows.items():
        if key == "d.png":
            continue
        e = relax.explain(
            encoder(), pictures / key, method="relax", n_masks=256, seed=row["seed"], precision="float32", batch_size=16
        )
        for name in ("importance", "uncertainty"):
            cells = getattr(e, name).astype(np.float64).reshape(14, 2, 14, 2).mean((1, 3))
            np.testing.assert_allclose(row[name], cells.ravel(), rtol=1e-6)
        np.testing.assert_array_equal(row["representation"], e.representation)
        assert row["shape"] == [14, 14]
        assert (row["score"], row["n_masks"], row["path"]) == (e.score, 256, str(pictures / key))
        assert json.loads(row["input"])["picture_size"] == [60, 40]


def test_masks_are_drawn_by_the_input_not_by_its_place(tmp_path, pictures):
    run(pictures, tmp_path / "whole")
    (tmp_path / "moved").mkdir()
    (pictures / "e.png").rename(tmp_path / "moved" / "other.png")
    run(tmp_path / "moved", tmp_path / "one")
    (one,), whole = rows_of(tmp_path / "one").values(), rows_of(tmp_path / "whole")
    assert one["importance"] == whole["e.png"]["importance"]
    assert one["seed"] == whole["e.png"]["seed"] != whole["a.png"]["seed"]
    run(tmp_path / "moved", tmp_path / "other", seed=1)
    assert next(iter(rows_of(tmp_path / "other").values()))["importance"] != one["importance"]


def test_workers_make_the_same_rows_and_survive_what_crashes_one(tmp_path, pictures):
    Image.new("RGB", (30, 1)).save(pictures / "crash.png")
    (tmp_path / "well").mkdir()
    for path in pictures.rglob("*.*"):
        if path.name != "crash.png":
            (tmp_path / "well" / path.relative_to(pictures)).parent.mkdir(exist_ok=True)
            (tmp_path / "well" / path.relative_to(pictures)).write_bytes(path.read_bytes())
    ran = run(pictures, tmp_path / "two", workers=2)
    run(tmp_path / "well", tmp_path / "none")
    two, none = rows_of(tmp_path / "two"), rows_of(tmp_path / "none")
    assert "its worker died (signal SIGSEGV)" in two.pop("crash.png")["reason"]
    assert (ran.done, ran.failed) == (5, 2)
    for key, row in none.items():
        for name in ("importance", "representation", "checksum", "seed"):
            assert two[key][name] == row[name], (key, name)


def test_a_second_run_does_what_is_missing_changed_or_asked_for(tmp_path, pictures):
    run(pictures, tmp_path / "out", every=2)
    ran = run(pictures, tmp_path / "out")
    assert (ran.done + ran.failed, ran.known) == (3, 3)
    shards = {path: path.stat().st_mtime_ns for path in ran.store.shards()}
    ran = run(pictures, tmp_path / "out")
    assert (ran.done, ran.failed, ran.known, ran.known_failed, ran.changed) == (0, 0, 6, 1, 0)
    assert {path: path.stat().st_mtime_ns for path in ran.store.shards()} == shards  # untouched
    before = rows_of(ran.folder)
    os.utime(pictures / "a.png")  # touched, not changed
    Image.new("RGB", (60, 40), "red").save(pictures / "b.png")
    (pictures / "c.jpg").unlink()
    Image.new("RGB", (60, 40), "blue").save(pictures / "f.png")
    ran = run(pictures, tmp_path / "out")
    assert (ran.done, ran.failed, ran.known, ran.changed, ran.gone) == (2, 0, 4, 1, 1)
    after = rows_of(ran.folder)
    assert {key for key in before if before[key] != after[key]} == {"b.png"}
    assert after["b.png"]["checksum"] != before["b.png"]["checksum"]
    assert set(after) - set(before) == {"f.png"}


def test_failed_inputs_are_tried_again_on_request(tmp_path, pictures):
    run(pictures, tmp_path / "out")
    ran = run(pictures, tmp_path / "out", retry_failed=True)
    assert (ran.done, ran.failed, ran.known) == (0, 1, 5)
    whole = (pictures / "a.png").read_bytes()
    (pictures / "d.png").write_bytes(whole)  # noticed without being asked: it is another file
    ran = run(pictures, tmp_path / "out")
    assert (ran.done, ran.changed) == (1, 1)
    rows = rows_of(ran.folder)
    assert rows["d.png"]["importance"] == rows["a.png"]["importance"]
    assert rows["d.png"]["reason"] is None


def test_a_kill_and_a_second_run_give_the_same_rows(tmp_path, pictures):
    command = [sys.executable, str(Path(__file__).with_name("small.py")), str(pictures), str(tmp_path / "out")]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    process = subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL)
    while not list((tmp_path / "out").glob("rows/[!.]*")) and process.poll() is None:
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    (tmp_path / "out" / "rows" / f".x.parquet.{process.pid}-1.tmp").write_bytes(b"half")  # killed while it wrote
    n_kept = Store(tmp_path / "out").table(["key"]).num_rows
    ran = run(pictures, tmp_path / "out")
    assert ran.done + ran.failed == 6 - n_kept < 6
    run(pictures, tmp_path / "alone")
    assert rows_of(tmp_path / "out") == rows_of(tmp_path / "alone")
    assert not list((tmp_path / "out").rglob("*.tmp"))


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_kill_while_a_shard_is_renamed_gives_the_same_rows(tmp_path, pictures, when):
    command = [sys.executable, str(Path(__file__).with_name("small.py")), str(pictures), str(tmp_path / "out"), when]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(command, env=environment, stderr=subprocess.DEVNULL, check=False)
    assert done.returncode == -signal.SIGKILL
    assert len(list((tmp_path / "out" / "rows").glob(".*.tmp"))) == (when == "before")
    n_kept = Store(tmp_path / "out").table(["key"]).num_rows
    assert n_kept == (2 if when == "before" else 4)
    assert run(pictures, tmp_path / "out").known == n_kept
    run(pictures, tmp_path / "alone")
    assert rows_of(tmp_path / "out") == rows_of(tmp_path / "alone")
    assert not list((tmp_path / "out").rglob("*.tmp"))


def test_other_settings_another_encoder_and_another_schema_are_refused(tmp_path, pictures):
    run(pictures, tmp_path / "out")
    rows = rows_of(tmp_path / "out")
    with pytest.raises(relax.ArgumentError, match=r"stopping = \{'n_masks': 256\}, not \{'n_masks': 512\}"):
        run(pictures, tmp_path / "out", n_masks=512)
    with pytest.raises(relax.ArgumentError, match="seed = 0, not 1"):
        run(pictures, tmp_path / "out", seed=1)
    other = encoder()
    other.model = lambda x: encoder().model(x) * 2.0
    with pytest.raises(relax.ArgumentError, match="other weights"):
        run(pictures, tmp_path / "out", encoder=other)
    with pytest.raises(relax.ArgumentError, match="against = None"):
        run(pictures, tmp_path / "out", against=str(pictures / "a.png"))
    manifest = tmp_path / "out" / "manifest.json"
    for text, words in ((json.dumps({"schema": 99}), "expected a store of schema 1, got schema 99"), ("{", "damaged")):
        manifest.write_text(text)
        with pytest.raises(relax.InputError, match=words):
            run(pictures, tmp_path / "out")
    manifest.unlink()
    with pytest.raises(relax.InputError, match=r"rows but no manifest\.json"):
        run(pictures, tmp_path / "out")
    assert all(name.stat().st_size for name in (tmp_path / "out" / "rows").iterdir())
    assert rows


def test_references_are_told_apart(tmp_path, pictures):
    run(pictures, tmp_path / "out", against=str(pictures / "a.png"))
    Image.new("RGB", (60, 40), "red").save(tmp_path / "red.png")
    with pytest.raises(relax.ArgumentError, match="against another reference"):
        run(pictures, tmp_path / "out", against=str(tmp_path / "red.png"))
    assert run(pictures, tmp_path / "out", against=str(pictures / "a.png")).known == 6


def test_truncated_and_missing_shards_are_made_again(tmp_path, pictures, monkeypatch):
    monkeypatch.setattr(running, "SHARD", 2)
    ran = run(pictures, tmp_path / "out")
    expected, (one, two, three) = rows_of(ran.folder), ran.store.shards()
    one.write_bytes(one.read_bytes()[:-40])
    two.unlink()
    with pytest.raises(relax.InputError, match=f"1 shards are missing, such as {two.name}"):
        ran.store.table()
    monkeypatch.setattr(running, "SHARD", 256)  # other shards than before
    again = run(pictures, tmp_path / "out")
    assert again.done + again.failed == 4
    assert len(again.damaged) == 1
    assert one.name in again.damaged[0]
    assert rows_of(ran.folder) == expected
    assert three in again.store.shards()


def test_names_of_shards_follow_from_their_keys(tmp_path, pictures):
    (shard,) = run(pictures, tmp_path / "out").store.shards()
    keys = pq.read_table(shard).column("key").to_pylist()
    assert shard.name == store.shard_name(keys)
    assert store.shard_name(keys[::-1]) != shard.name


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EROFS])
def test_a_full_disk_and_a_read_only_one_end_in_one_line(tmp_path, pictures, monkeypatch, code):
    monkeypatch.setattr(running, "SHARD", 2)
    write, written = store.replacing, []

    def full(path):
        if Path(path).suffix == ".parquet" and (code == errno.EROFS or written):
            raise OSError(code, os.strerror(code), str(path))
        written.append(path if Path(path).suffix == ".parquet" else None)
        written[:] = [item for item in written if item]
        return write(path)

    monkeypatch.setattr(store, "replacing", full)
    with pytest.raises(
        relax.ArgumentError, match=f"cannot be written: {os.strerror(code)}; what is in the store is kept"
    ):
        run(pictures, tmp_path / "out")
    kept = Store(tmp_path / "out").table(["key"]).num_rows
    assert kept == (2 if code == errno.ENOSPC else 0)
    monkeypatch.setattr(store, "replacing", write)
    ran = run(pictures, tmp_path / "out")
    assert ran.known == kept
    assert len(rows_of(ran.folder)) == 6


@pytest.fixture
def disk(tmp_path: Path):
    """A file system in memory of 28 KiB; mounting it needs the rights of root."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounting = ["mount", "-t", "tmpfs", "-o", "size=28k", "tmpfs", str(folder)]
    if shutil.which("mount") is None or subprocess.run(mounting, capture_output=True, check=False).returncode:
        pytest.skip("mounting a small file system is not allowed here")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_disk_that_is_really_full(tmp_path, pictures, disk, monkeypatch):
    monkeypatch.setattr(running, "SHARD", 2)
    with pytest.raises(relax.ArgumentError, match=r"No space left on device; what is in the store is kept") as error:
        run(pictures, disk / "out")
    assert "\n" not in str(error.value)
    kept = Store(disk / "out").table(["key"]).num_rows
    assert 0 < kept < 6
    assert not list(disk.rglob("*.tmp"))
    subprocess.run(["mount", "-o", "remount,size=4m", str(disk)], check=True)
    assert run(pictures, disk / "out").known == kept
    run(pictures, tmp_path / "alone")
    assert rows_of(disk / "out") == rows_of(tmp_path / "alone")


def test_a_disk_that_is_really_read_only(pictures, disk):
    subprocess.run(["mount", "-o", "remount,size=4m", str(disk)], check=True)
    run(pictures, disk / "out", every=2)
    subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
    for out in (disk / "out", disk / "new"):
        with pytest.raises(
            relax.ArgumentError, match=r"cannot (write to|create) this folder.*; choose another one"
        ) as error:
            run(pictures, out)
        assert "\n" not in str(error.value)
    assert Store(disk / "out").table(["key"]).num_rows == 3


def test_one_run_at_a_time(tmp_path, pictures):
    def second(progress) -> None:
        with pytest.raises(relax.ArgumentError, match="another run is writing to this store"):
            run(pictures, tmp_path / "out")

    assert run(pictures, tmp_path / "out", on_input=second).done == 5


def test_other_sources_do_not_replace_rows(tmp_path, pictures):
    run(pictures, tmp_path / "out")
    (tmp_path / "copy").mkdir()
    (tmp_path / "copy" / "a.png").write_bytes((pictures / "a.png").read_bytes())
    assert run(tmp_path / "copy", tmp_path / "out").known == 1  # the same pictures, elsewhere
    (tmp_path / "copy" / "a.png").write_bytes((pictures / "b.png").read_bytes())
    with pytest.raises(relax.ArgumentError, match="the names, but not the content"):
        run(tmp_path / "copy", tmp_path / "out")


def test_progress_counts_failures_and_knows_the_rest(tmp_path, pictures):
    seen = []
    run(pictures, tmp_path / "out", on_input=seen.append)
    assert [p.done for p in seen] == [1, 2, 3, 4, 5, 6]
    assert seen[-1].failed == 1
    assert seen[-1].remaining == 0
    assert seen[0].remaining == pytest.approx(5 * seen[0].seconds)


def test_an_interruption_keeps_what_is_ready(tmp_path, pictures):
    def stop(progress) -> None:
        if progress.done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(pictures, tmp_path / "out", on_input=stop)
    assert run(pictures, tmp_path / "out").known == 3


def test_readers_need_nothing_of_ours(tmp_path, pictures):
    pandas = pytest.importorskip("pandas")
    run(pictures, tmp_path / "out")
    frame = pandas.read_parquet(tmp_path / "out" / "rows")
    assert sorted(frame.key) == sorted(rows_of(tmp_path / "out"))
    assert frame.set_index("key").importance["a.png"].shape == (196,)


@pytest.mark.parametrize("reader", ["polars", "duckdb"])
def test_other_readers(tmp_path, pictures, reader):
    library = pytest.importorskip(reader)
    run(pictures, tmp_path / "out")
    files = str(tmp_path / "out" / "rows" / "*.parquet")
    if reader == "polars":
        frame = library.scan_parquet(files).filter(library.col("reason").is_null()).collect()
        values = frame.filter(library.col("key") == "a.png")["importance"].to_list()[0]
    else:
        values = library.sql(f"SELECT importance FROM '{files}' WHERE key = 'a.png'").fetchall()[0][0]
    assert values == rows_of(tmp_path / "out")["a.png"]["importance"]


def test_arguments_are_checked_before_the_store_is_made(tmp_path, pictures):
    for arguments, words in (
        ({"every": 0}, "`every` to be a positive"),
        ({"executor": "spark"}, "`executor` to be one of local, ray"),
        ({"workers": -1}, "`workers` to be a positive"),
        ({"method": "none"}, "unknown method"),
        ({"column": "path"}, "expected a table or a data set"),
    ):
        with pytest.raises(relax.ArgumentError, match=words):
            run(pictures, tmp_path / "out", **arguments)
    with pytest.raises(relax.InputError, match="no such file or folder"):
        run(tmp_path / "nothing", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_encoders_that_cannot_be_sent_are_said(tmp_path, pictures):
    local = relax.Encoder(lambda x: x.mean((2, 3)) + 2.0, relax.ImageTransform(size=(28, 28)))
    with pytest.raises(relax.ArgumentError, match="workers=1 sends the encoder"):
        run(pictures, tmp_path / "out", encoder=local, workers=1)


def test_a_folder_of_other_files_is_no_store(tmp_path, pictures):
    before = sorted(pictures.iterdir())
    with pytest.raises(relax.ArgumentError, match=r"expected a store, or an empty or new folder, got one that holds"):
        run(pictures, pictures)
    assert sorted(pictures.iterdir()) == before
    (tmp_path / "new").mkdir()
    (tmp_path / "new" / ".hidden").touch()
    assert run(pictures, tmp_path / "new").done


def test_columns_that_are_not_there_are_named(tmp_path, pictures):
    with pytest.raises(relax.ArgumentError, match=r"expected columns of key, .*; got nothing"):
        run(pictures, tmp_path / "out").store.table(["key", "nothing"])
