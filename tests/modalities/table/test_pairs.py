"""Two rows against each other: closed forms, symmetry, figures; rows in files and on the command line."""

from __future__ import annotations

import json

import numpy as np
import pytest
from typer.testing import CliRunner

import relax
import relax.runs
from relax.cli import app

pd = pytest.importorskip("pandas")

WEIGHTS = np.random.default_rng(0).normal(size=(4, 6))
COLUMNS = list("abcd")

ENCODER = """
import numpy as np
import torch
WEIGHTS = np.random.default_rng(0).normal(size=(4, 6))
COLUMNS = list("abcd")

def linear(frame):
    return frame[COLUMNS].to_numpy(float) @ WEIGHTS

class Scaler:
    feature_names_in_ = np.array(["a", "b"])
    def transform(self, frame):
        return frame.to_numpy(float) @ WEIGHTS[:2]

scaler = Scaler()
module = torch.nn.Conv1d(2, 3, 1)
broken = 3
"""


@pytest.fixture
def data():
    return pd.DataFrame(np.random.default_rng(1).normal(2, 1, (30, 4)), columns=COLUMNS)


@pytest.fixture
def encoder(data):
    return relax.Encoder(lambda frame: frame.to_numpy() @ WEIGHTS, modality=relax.Table(reference_data=data))


@pytest.fixture
def here(tmp_path, monkeypatch, data):
    """A folder with an encoder and a table."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "enc.py").write_text(ENCODER)
    data.to_csv(tmp_path / "rows.csv", index=False)
    return tmp_path


def invoke(*arguments):
    return CliRunner().invoke(app, [*map(str, arguments)])


def rows_of(result):
    assert result.exit_code == 0, result.output
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_a_linear_encoder_with_the_dot_product_has_a_closed_form(encoder, data):
    a, b = data.iloc[[0]], data.iloc[[1]]
    pair = relax.match(encoder, a, b, regions=True, similarity="dot", precision="float32")
    parts = [(row - data.mean()).to_numpy()[0][:, None] * WEIGHTS for row in (a, b)]
    wholes = [row.to_numpy()[0] @ WEIGHTS for row in (a, b)]
    np.testing.assert_allclose(2 * pair.a.effect, parts[0] @ wholes[1], rtol=1e-3, atol=1e-3)
    np.testing.assert_allclose(2 * pair.b.effect, parts[1] @ wholes[0], rtol=1e-3, atol=1e-3)
    np.testing.assert_allclose(4 * pair.interactions.values, parts[0] @ parts[1].T, rtol=1e-3, atol=1e-3)
    assert not pair.interactions.standard_error.any()


def test_swapping_the_rows_swaps_the_maps_and_the_interactions(encoder, data):
    a, b = data.iloc[0], data.iloc[1]
    pair, swapped = (relax.match(encoder, *rows, regions=True) for rows in ((a, b), (b, a)))
    np.testing.assert_array_equal(pair.a.importance, swapped.b.importance)
    np.testing.assert_allclose(pair.interactions.values, swapped.interactions.values.T, atol=1e-12)


def test_a_pair_of_rows_has_a_figure_and_a_page(encoder, data, tmp_path):
    pair = relax.match(encoder, data.iloc[0], data.iloc[1], regions=True, masks={"ab": ["a", "b"]})
    pair.plot(tmp_path / "pair.png")
    pair.page(tmp_path / "pair.html")
    assert pair.interactions.values.shape == (3, 3)
    assert pair.plot().axes[2].get_title() == "which column of b answers which column of a"


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".parquet", ".jsonl"])
def test_rows_are_read_from_files(encoder, data, tmp_path, suffix):
    path = tmp_path / f"rows{suffix}"
    if suffix == ".parquet":
        data.to_parquet(path)
    elif suffix == ".jsonl":
        data.to_json(path, orient="records", lines=True, double_precision=15)
    else:
        data.to_csv(path, sep="\t" if suffix == ".tsv" else ",")
    e = relax.explain(encoder, f"{path}#3")
    np.testing.assert_allclose(e.importance, relax.explain(encoder, data.iloc[[3]]).importance, rtol=1e-5)
    assert e.settings["input"] == {"name": f"{path.name}#3", "source": f"{path}#3"}
    assert len(encoder.split(str(path))) == len(data)


def test_columns_that_the_data_have_not_are_left_out_and_said(encoder, data, tmp_path):
    data.assign(id=1).to_csv(tmp_path / "rows.csv", index=False)
    with pytest.warns(relax.RelaxWarning, match="no column 'id'; left out"):
        assert relax.explain(encoder, f"{tmp_path}/rows.csv#0").importance.shape == (4,)
    data.drop(columns="b").to_csv(tmp_path / "rows.csv", index=False)
    with pytest.raises(relax.InputError, match="no column 'b'"):
        relax.explain(encoder, f"{tmp_path}/rows.csv#0")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "cannot be read as a table"),
        ("a,b,c,d\n", "at least one row"),
        ("a,b,c,d\n1,2,3,4\n1,2,3,4,5,6\n", "cannot be read as a table"),
        (None, "no such file"),
    ],
)
def test_bad_tables_are_refused_in_one_line(encoder, tmp_path, content, message):
    if content is not None:
        (tmp_path / "rows.csv").write_text(content)
    with pytest.raises(relax.InputError, match=message) as raised:
        relax.explain(encoder, f"{tmp_path}/rows.csv#0")
    assert "\n" not in str(raised.value)


def test_the_command_explains_rows(here, encoder, data):
    asked = ["explain", "rows.csv", "--row", 0, "--row", 2, "--encoder", "python:enc.py:linear", "--out", "out"]
    rows = rows_of(invoke(*asked, "--json"))
    assert [row["input"] for row in rows] == ["rows.csv#0", "rows.csv#2"]
    np.testing.assert_allclose(rows[1]["effects"], relax.explain(encoder, data.iloc[[2]]).effect, atol=1e-4)
    assert {file.name for file in (here / "out").iterdir()} == {
        f"rows-{row}{suffix}" for row in (0, 2) for suffix in (".png", ".html", ".npz")
    }
    assert "exists" in invoke(*asked).stderr
    again = invoke(*asked, "--skip-existing")
    assert "2 skipped" in again.stderr
    grouped = [
        *asked[:2],
        "--encoder",
        "python:enc.py:linear",
        "--row",
        1,
        "--group",
        "ab=a,b",
        "--out",
        "o2",
        "--json",
    ]
    assert rows_of(invoke(*grouped, "--against", "rows.csv#3"))[0]["units"][0].startswith("ab = ")
    mixed = invoke("explain", "rows.csv#1", "rows.csv#99", "--encoder", "python:enc.py:linear", "--out", "o3")
    assert mixed.exit_code == 1
    assert "rows.csv#99: there is no such row; the file has 30, from 0 to 29" in mixed.stderr


@pytest.mark.parametrize(
    ("encoder_name", "message"),
    [
        (None, "a table has no default encoder"),
        ("python:enc.py:nothing", "enc.py: there is no 'nothing'"),
        ("python:enc.py:Scaler", "got the class Scaler"),
        ("python:enc.py:broken", "got int"),
        ("python:none.py:linear", "none.py: no such file"),
        ("python:no.such.module:linear", "no.such.module: no such module"),
        ("python:bad.py:linear", "bad.py: fails when it is run: ZeroDivisionError"),
        ("python:enc.py:module", "a module does not read rows of tables"),
        ("efficientnet-lite0", "for an encoder of image inputs this file is one"),
        ("python:linear", "expected an encoder as python:FILE.py:NAME"),
    ],
)
def test_encoders_that_are_not_there_are_one_line(here, encoder_name, message):
    (here / "bad.py").write_text("1 / 0\n")
    named = [] if encoder_name is None else ["--encoder", encoder_name]
    result = invoke("explain", "rows.csv#0", *named)
    assert result.exit_code == 2
    assert message in result.stderr
    assert result.stderr.count("\n") == 1


@pytest.mark.filterwarnings("ignore:rows.csv")
def test_a_transformer_takes_the_columns_that_it_was_fitted_on(here, data):
    asked = ["--encoder", "python:enc.py:scaler", "--out", "out", "--json"]
    assert [unit[0] for unit in rows_of(invoke("explain", "rows.csv#0", *asked))[0]["units"]] == ["a", "b"]
    data.drop(columns="b").to_csv(here / "rows.csv", index=False)
    result = invoke("explain", "rows.csv#1", *asked)
    assert result.exit_code == 2
    assert "rows.csv: has no column 'b', which the encoder was fitted on" in result.stderr


def test_the_commands_match_and_index_rows(here, data):
    pytest.importorskip("lancedb")
    asked = ["--encoder", "python:enc.py:linear", "--json", "--quiet"]
    pair = rows_of(invoke("match", "rows.csv#0", "rows.csv#1", *asked, "--out", "out"))[0]
    assert pair["regions"][0]["cell"][0] in COLUMNS
    assert (here / "out" / "rows-0-rows-1.html").exists()
    assert invoke("index", "rows.csv", *asked, "--out", "index").exit_code == 0
    found = rows_of(invoke("match", "rows.csv#0", "index", "-k", 2, "--explain", "--json", "--out", "o2"))
    represented = data.to_numpy() @ WEIGHTS
    directions = represented / np.linalg.norm(represented, axis=1, keepdims=True)
    assert [row["row"] for row in found] == np.argsort(-(directions @ directions[0]))[1:3].tolist()
    assert "<th>a</th>" in (here / "o2" / "rows-0-matches.html").read_text()
    direct = rows_of(invoke("match", "rows.csv#0", "rows.csv", "-k", 2, *asked, "--out", "o3"))
    assert [row["row"] for row in direct] == [row["row"] for row in found]
    assert rows_of(
        invoke("duplicates", "index", "--threshold", 0.9, "--explain", "--json", "--out", "o4", "--limit", 1)
    )
    data.iloc[:2].to_csv(here / "rows.csv", index=False)
    gone = invoke("match", "rows.csv#0", "index", "-k", 1, "--explain", "--json", "--out", "o5")
    assert gone.exit_code == 0
    assert "there is no such row; the file has 2" in gone.stderr


def test_a_run_keeps_rows(here):
    pytest.importorskip("pyarrow")
    result = invoke("run", "rows.csv", "--encoder", "python:enc.py:linear", "--out", "store", "--every", 10, "--quiet")
    assert result.exit_code == 0, result.output
    rows = relax.runs.Store(here / "store").table().to_pylist()
    assert [row["row"] for row in rows] == [0, 10, 20]
    assert all(len(row["importance"]) == 4 for row in rows)
