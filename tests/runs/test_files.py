"""Explaining files into a folder: whole, once, by one process, and what is there is respected."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import relax
from relax.runs.files import explain_files, only_writer
from relax.runs.naming import targets_of

ODD = [
    "m$\\frac{$.png",
    "two\nlines.png",
    "tab\there.png",
    "ünï cödé 文字 🙂.png",
    "quote'\"`.png",
    "-dash.png",
    "%s {x} \\n.png",
    "#hash?.png",
    b"not \xff utf-8.png",
    "x" * 200 + ".png",
]


@pytest.fixture
def explainer(tiny):
    return relax.Explainer(relax.Encoder(tiny, relax.ImageTransform(size=(28, 28))), method="relax", n_masks=256)


def picture(path, seed=0):
    rng = np.random.default_rng(seed)
    Image.fromarray(rng.integers(0, 255, (30, 40, 3), dtype=np.uint8)).save(open(path, "wb"), format="PNG")  # noqa: SIM115, PTH123


def test_results_that_exist_are_refused_replaced_or_left(explainer, tmp_path):
    for name in "ab":
        picture(tmp_path / f"{name}.png")
    targets = targets_of([tmp_path / "a.png", tmp_path / "b.png"], tmp_path / "out")
    assert [bool(saved.row) for saved in explain_files(explainer, targets)] == [True, True]
    with pytest.raises(relax.ArgumentError, match="exists; give --overwrite or --skip-existing"):
        list(explain_files(explainer, targets))
    before = targets[0].files[1].stat().st_mtime_ns
    targets[1].files[1].unlink()  # as of a run that was cut off
    assert [bool(saved.row) for saved in explain_files(explainer, targets, existing="skip")] == [False, True]
    assert targets[0].files[1].stat().st_mtime_ns == before
    assert all(saved.row for saved in explain_files(explainer, targets, existing="overwrite"))
    assert targets[0].files[1].stat().st_mtime_ns > before


def test_results_of_another_input_are_not_taken_for_this_one(explainer, tmp_path):
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        picture(tmp_path / folder / "a.png")
    (first,) = targets_of([tmp_path / "one" / "a.png"], tmp_path / "out")
    (second,) = targets_of([tmp_path / "two" / "a.png"], tmp_path / "out")
    list(explain_files(explainer, [first]))
    with pytest.raises(relax.ArgumentError, match="holds the results of"):
        list(explain_files(explainer, [second], existing="skip"))
    with pytest.raises(relax.ArgumentError, match="was made with method relax, not random"):
        list(explain_files(relax.Explainer(explainer.encoder, method="random"), [first], existing="skip"))
    first.files[1].write_bytes(b"cut off")
    assert [bool(saved.row) for saved in explain_files(explainer, [first], existing="skip")] == [True]


def test_one_bad_file_does_not_end_the_others(explainer, tmp_path):
    picture(tmp_path / "a.png")
    (tmp_path / "b.png").write_bytes(b"no picture")
    picture(tmp_path / "c.png")
    targets = targets_of([tmp_path / f"{name}.png" for name in "abc"], tmp_path / "out")
    first, bad, last = explain_files(explainer, targets)
    assert isinstance(bad, relax.Failed)
    assert first.row["files"] == [str(file) for file in targets[0].files]
    assert relax.Explanation.load(targets[2].files[1]).n_masks == last.row["n_masks"] == 256


def test_one_process_writes_into_a_folder(tmp_path):
    code = f"""
import sys
sys.path.insert(0, {str(Path(relax.__file__).parents[1])!r})
from pathlib import Path
from relax.runs.files import only_writer
with only_writer(Path({str(tmp_path)!r})):
    print("in", flush=True)
    sys.stdin.read()
"""
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout.readline() == b"in\n"
        with pytest.raises(relax.ArgumentError, match="another process is writing"), only_writer(tmp_path):
            pass
        other.stdin.close()
        other.wait(timeout=20)
    with only_writer(tmp_path):
        pass
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ODD, ids=range(len(ODD)))
def test_odd_names_are_only_names(explainer, tmp_path, name):
    path = Path(os.fsdecode(os.path.join(os.fsencode(tmp_path), os.fsencode(name))))  # noqa: PTH118
    picture(path)
    (saved,) = explain_files(explainer, targets_of([path], tmp_path / "out"))
    assert not isinstance(saved, relax.Failed)
    json.dumps(saved.row)
    e = relax.Explanation.load(saved.target.files[1])
    assert e.settings["input"]["source"] == str(path)
    explainer(str(path)).plot(tmp_path / "again.png")


def test_a_disk_that_is_full_is_one_line(explainer, tmp_path, monkeypatch):
    picture(tmp_path / "a.png")

    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "savez_compressed", full)
    with pytest.raises(relax.ArgumentError, match="cannot be written: No space left on device"):
        list(explain_files(explainer, targets_of([tmp_path / "a.png"], tmp_path / "out")))
    assert not list((tmp_path / "out").glob(".*"))


def test_two_commands_with_one_folder(tmp_path):
    """The second is refused, and what the first writes is its own."""
    (tmp_path / "in").mkdir()
    for k in range(4):
        picture(tmp_path / "in" / f"{k}.png", k)
    command = [sys.executable, "-m", "relax", "explain", str(tmp_path / "in"), "--masks", "64", "--quiet"]
    command += ["--out", str(tmp_path / "out"), "--threads", "1"]
    with subprocess.Popen([*command, "--seed", "1"], stderr=subprocess.PIPE) as first:
        for _ in range(600):
            if list((tmp_path / "out").glob("*.png")):
                break
            time.sleep(0.05)
        second = subprocess.run([*command, "--seed", "2", "--overwrite"], capture_output=True, text=True, check=False)
        first.wait(timeout=120)
    if second.returncode:  # else the first was done before the second came
        assert second.returncode == 2
        assert "another process is writing" in second.stderr
        seeds = {relax.Explanation.load(path).settings["seed"] for path in (tmp_path / "out").glob("*.npz")}
        assert seeds == {1}
    assert len(list((tmp_path / "out").glob("*.npz"))) == 4
