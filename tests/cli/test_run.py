"""``relax run``: one line for what is wrong, JSON lines for what is done."""

from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

import relax
from relax.cli import app

pytest.importorskip("pyarrow")

COMMON = ["--encoder", "fashion:untrained", "--device", "cpu", "--masks", "64", "--precision", "float32", "--quiet"]


@pytest.fixture
def pictures(tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    for number in range(3):
        rng = np.random.default_rng(number)
        Image.fromarray(rng.integers(0, 255, (30, 30, 3), dtype=np.uint8)).save(folder / f"{number}.png")
    return folder


def call(*arguments):
    return CliRunner().invoke(app, ["run", *map(str, arguments), *COMMON])


def test_a_run_and_its_continuation(tmp_path, pictures):
    first = call(pictures, "--out", tmp_path / "out", "--json", "--every", 2)
    lines = [json.loads(line) for line in first.stdout.splitlines()]
    assert [line["key"] for line in lines] == ["0.png", "2.png"]
    assert {line["n_masks"] for line in lines} == {64}
    (pictures / "x.png").write_bytes(b"no picture")
    second = call(pictures, "--out", tmp_path / "out")
    assert second.exit_code == 1
    assert second.stdout == ""
    assert "error: " in second.stderr
    assert "x.png: not a picture" in second.stderr
    assert "1 explained, 1 failed, 2 in the store already" in second.stderr
    third = call(pictures, "--out", tmp_path / "out")
    assert third.exit_code == 0
    assert "0 explained, 0 failed, 4 in the store already (1 of them failed)" in third.stderr
    assert call(pictures, "--out", tmp_path / "out", "--retry-failed").exit_code == 1
    assert relax.Store(tmp_path / "out").table(["key"]).num_rows == 4


def test_bad_arguments_are_one_line(tmp_path, pictures):
    call(pictures, "--out", tmp_path / "out")
    for arguments, words in (
        ((tmp_path / "nothing", "--out", tmp_path / "new"), "no such file or folder"),
        ((pictures, "--out", tmp_path / "out", "--seed", 1), "seed = 0, not 1"),
        ((pictures, "--out", tmp_path / "new", "--executor", "spark"), "one of local, ray"),
        ((pictures, "--out", pictures / "0.png"), "cannot create this folder"),
    ):
        result = call(*arguments)
        assert result.exit_code == 2
        assert words in result.stderr
        assert len(result.stderr.splitlines()) == 1
    assert not (tmp_path / "new").exists()


def test_a_table_that_is_not_there_needs_no_encoder_to_say_so(tmp_path):
    result = CliRunner().invoke(app, ["run", str(tmp_path / "nothing.csv"), "--out", str(tmp_path / "new")])
    assert result.exit_code == 2
    assert result.stderr == f"relax: error: {tmp_path / 'nothing.csv'}: no such file\n"


def test_references_and_masks_are_passed_on(tmp_path, pictures):
    result = call(pictures, "--out", tmp_path / "out", "--against", pictures, "--kind", "grid", "--cells", 4)
    assert result.exit_code == 0
    settings = relax.Store(tmp_path / "out").manifest["settings"]
    assert settings["against"]["kind"] == "corpus"
    assert settings["masks"][0]["cells"] == 4


def test_designs_are_passed_on(tmp_path, pictures):
    assert call(pictures, "--out", tmp_path / "out", "--design", "all-sizes").exit_code == 0
    assert relax.Store(tmp_path / "out").manifest["settings"]["design"] == "all-sizes"


def test_patterns_of_texts_are_passed_on(tmp_path):
    pytest.importorskip("tokenizers")
    folder = tmp_path / "texts"
    folder.mkdir()
    (folder / "a.txt").write_text("a cat; a dog; a house")
    arguments = ["run", folder, "--out", tmp_path / "out", "--kind", "pattern", "--pattern", "cat|dog", "--quiet"]
    result = CliRunner().invoke(app, list(map(str, arguments)))
    assert result.exit_code == 0, result.stderr
    (masks,) = relax.Store(tmp_path / "out").manifest["settings"]["masks"]
    assert masks["name"] == "pattern"
    assert masks["pattern"] == "cat|dog"
