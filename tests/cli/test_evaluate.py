"""``relax evaluate``, ``relax data`` and ``relax train``, as processes."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from PIL import Image

import relax


def run(*arguments):
    command = [sys.executable, "-m", "relax", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.fixture
def pictures(tmp_path):
    home = tmp_path / "pictures"
    (home / "images").mkdir(parents=True)
    (home / "masks").mkdir()
    for k in range(3):
        pixels = np.random.default_rng(k).integers(0, 255, (64, 64, 3), dtype=np.uint8)
        mask = np.zeros((64, 64), dtype=np.uint8)
        mask[10:40, 20:50] = 255
        Image.fromarray(pixels).save(home / "images" / f"{k}.png")
        Image.fromarray(mask).save(home / "masks" / f"{k}.png")
    (home / "images" / "broken.png").write_bytes(b"no picture")
    return home


def evaluate(pictures, out, *more):
    return run(
        *(
            "evaluate",
            "--dataset",
            f"folder:{pictures}",
            "--encoders",
            "fashion:untrained",
            "--methods",
            "relax,random",
        ),
        *("--metrics", "auc,insertion-deletion", "--n", 0, "--budget", 128, "--quiet", "--out", out, *more),
    )


def test_a_broken_picture_is_named_skipped_and_counted(pictures, tmp_path):
    done = evaluate(pictures, tmp_path / "run", "--json")
    assert done.returncode == 1
    assert "broken.png" in done.stderr
    assert "1 skipped" in done.stderr
    rows = pd.read_csv(tmp_path / "run" / "rows.csv")
    assert len(rows) == 3 * 2 * 2
    summary = [json.loads(line) for line in done.stdout.splitlines()]
    assert {(row["method"], row["metric"], row["n"]) for row in summary} == {
        (method, metric, 3) for method in ("relax", "random") for metric in ("auc", "insertion-deletion")
    }
    assert "<h2>fashion:untrained</h2>" in (tmp_path / "run" / "report.html").read_text()


def test_a_run_goes_on_and_does_replaced_pictures_again(pictures, tmp_path):
    evaluate(pictures, tmp_path / "run")
    journal = tmp_path / "run" / "journal.jsonl"
    lines = journal.read_text().splitlines()
    evaluate(pictures, tmp_path / "run")
    assert journal.read_text().splitlines() == lines
    Image.fromarray(np.full((64, 64, 3), 9, dtype=np.uint8)).save(pictures / "images" / "1.png")
    evaluate(pictures, tmp_path / "run")
    more = [json.loads(line)["input"] for line in journal.read_text().splitlines()[len(lines) :]]
    assert more == ["1.png"] * 2
    assert len(pd.read_csv(tmp_path / "run" / "rows.csv")) == 3 * 2 * 2


def test_bad_requests_are_one_line(pictures, tmp_path):
    for arguments, words in (
        (("evaluate", "--dataset", "folder:nowhere", "--out", tmp_path / "a"), "nowhere: no such folder"),
        (("evaluate", "--dataset", f"folder:{pictures}", "--metrics", "beauty", "--out", tmp_path / "b"), "beauty"),
        (("data", "moon"), "moon"),
        (("train", "wishing"), "wishing"),
    ):
        done = run(*arguments)
        assert done.returncode == 2
        assert words in done.stderr
        assert done.stderr.count("\n") == 1


def test_weights_of_ones_own_have_a_name(tmp_path):
    from safetensors.torch import save_file

    from relax.encoders.zoo.small import network

    weights = {name: value * 2 for name, value in network("simclr").state_dict().items()}
    save_file(weights, tmp_path / "mine.safetensors")
    mine = relax.load_encoder(f"fashion:simclr:{tmp_path / 'mine.safetensors'}")
    for name, value in mine.model.state_dict().items():
        np.testing.assert_array_equal(value, weights[name])
    with pytest.raises(relax.ArgumentError, match="no trained weights"):
        relax.load_encoder(f"fashion:untrained:{tmp_path / 'mine.safetensors'}")


def test_weights_are_not_overwritten(tmp_path):
    mine = tmp_path / "mine.safetensors"
    mine.write_text("mine")
    done = run("train", "simclr", "--out", mine)
    assert done.returncode == 2
    assert done.stderr == f"relax: error: {mine}: exists; give --overwrite, or another --out\n"
    assert mine.read_text() == "mine"


def test_a_training_of_a_few_steps_leaves_weights_that_load(tmp_path, fashion_data):
    done = run("train", "simclr", "--steps", 2, "--batch", 8, "--quiet", "--out", tmp_path / "mine.safetensors")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert 0 <= found["knn"] <= 1
    assert relax.load_encoder(f"fashion:simclr:{found['file']}").encode(np.zeros((64, 64, 3), np.uint8)).shape == (
        1,
        96,
    )
