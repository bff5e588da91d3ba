"""``relax compare``: results that exist are refused or replaced, and one process writes."""

from __future__ import annotations

import json
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from relax.cli import app
from relax.runs.files import only_writer


@pytest.fixture
def command(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 255, (50, 70, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "photo.png")
    options = ["--encoders", "fashion:untrained", "--methods", "saliency,random", "--out", str(tmp_path / "out")]
    return ["compare", str(tmp_path / "photo.png"), *options]


def test_results_that_exist_are_refused_or_replaced(command, tmp_path):
    run = CliRunner().invoke
    first = run(app, [*command, "--json"])
    assert first.exit_code == 0, first.output
    file = tmp_path / "out" / "photo-comparison.png"
    assert json.loads(first.stdout)["file"] == str(file)
    before = file.stat().st_mtime_ns
    refused = run(app, command)
    assert refused.exit_code == 2
    assert f"{file}: exists; give --overwrite, or another --out" in refused.output
    assert file.stat().st_mtime_ns == before
    replaced = run(app, [*command, "--overwrite"])
    assert replaced.exit_code == 0, replaced.output
    assert file.stat().st_mtime_ns > before


def test_one_process_writes(command, tmp_path):
    (tmp_path / "out").mkdir()
    with only_writer(tmp_path / "out"):
        result = CliRunner().invoke(app, [*command, "--overwrite"])
    assert result.exit_code == 2
    assert "another process is writing" in result.output
    assert not list((tmp_path / "out").iterdir())


def test_no_correlation_is_zero_not_nan(command, monkeypatch):
    pair = {"encoder": "e", "method": "a", "other encoder": "e", "other method": "b"}
    result = SimpleNamespace(
        refused={},
        table=lambda: [],
        agreement=lambda: [{**pair, "spearman": 0.0, "top 20 % overlap": 0.2}],
        plot=lambda path: None,
    )
    monkeypatch.setattr("relax.comparison.compare", lambda *_, **__: result)
    done = CliRunner().invoke(app, command)
    assert done.exit_code == 0, done.output
    assert "Spearman 0.00" in done.output
