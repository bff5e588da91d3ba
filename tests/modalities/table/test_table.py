"""Rows of tables: closed forms, all masks against brute force, types that survive, bad rows."""

from __future__ import annotations

import itertools
import re

import numpy as np
import pytest

import relax

pd = pytest.importorskip("pandas")

WEIGHTS = np.random.default_rng(0).normal(size=(3, 5))


@pytest.fixture
def numbers():
    rng = np.random.default_rng(1)
    return pd.DataFrame(rng.normal(2, 1, (30, 3)), columns=["a", "b", "c"])


@pytest.fixture
def mixed():
    """Every kind of column, with missing values."""
    return pd.DataFrame(
        {
            "whole": [1, 2, 4, 4],
            "nullable": pd.array([1, None, 3, 3], dtype="Int64"),
            "real": np.array([0.5, np.nan, 1.5, 4.0], dtype=np.float32),
            "kind": pd.Categorical(["x", "y", "y", None], categories=["y", "x", "z"]),
            "word": ["p", "q", "q", None],
            "flag": [True, False, False, False],
            "day": pd.to_datetime(["2020-01-01", "2021-01-01", "2021-01-01", "2022-01-01"]),
        }
    )


def linear(frame):
    return frame.to_numpy() @ WEIGHTS


class Recorder:
    """An encoder that keeps what it is called with."""

    def __init__(self):
        self.frames = []

    def __call__(self, frame):
        self.frames.append(frame)
        texts = [" ".join(map(str, row)) for row in frame.itertuples(index=False)]
        return np.array([[float(sum(map(ord, text[part::3]))) for part in range(3)] for text in texts])


def brute_force(encode, row, filled, own):
    """Mean and variance of the cosine similarity over the masks that keep each column, and over all masks."""
    bits = np.array(list(itertools.product([0, 1], repeat=len(row))))
    h = encode(pd.DataFrame(bits * row + (1 - bits) * filled, columns=list("abc")))
    scores = h @ own / np.linalg.norm(h, axis=1) / np.linalg.norm(own)
    kept = [scores[bits[:, column] == 1] for column in range(len(row))]
    return np.array([k.mean() for k in kept]), np.array([k.var() for k in kept]), scores.mean()


def test_a_linear_encoder_with_the_dot_product_has_a_closed_form(numbers):
    encoder = relax.Encoder(linear, modality=relax.Table(reference_data=numbers))
    row = numbers.iloc[4]
    e = relax.explain(encoder, row, similarity="dot")
    h = row.to_numpy() @ WEIGHTS
    expected = (row - numbers.mean()).to_numpy() * (WEIGHTS @ h)
    np.testing.assert_allclose(2 * e.effect, expected, rtol=1e-4, atol=1e-5)
    assert e.settings["design"] == "exhaustive"
    assert e.n_masks == 8
    assert not e.standard_error.any()


@pytest.mark.parametrize("method", ["relax", "relax-regression"])
@pytest.mark.parametrize("statistic", ["mean", "median"])
def test_all_masks_equal_brute_force(numbers, method, statistic):
    def curved(frame):
        return np.tanh(frame.to_numpy() @ WEIGHTS)

    encoder = relax.Encoder(curved, modality=relax.Table(reference_data=numbers))
    row = numbers.iloc[7].to_numpy()
    e = relax.explain(encoder, numbers.iloc[7], method=method, fill=statistic, precision="float32")
    means, variances, mean = brute_force(curved, row, getattr(numbers, statistic)().to_numpy(), np.tanh(row @ WEIGHTS))
    if method == "relax":
        np.testing.assert_allclose(e.importance, means, atol=1e-5)
    else:  # the best additive fit to all masks: effects are differences of means
        np.testing.assert_allclose(e.effect, means - mean, atol=1e-5)
    np.testing.assert_allclose(e.uncertainty, variances, atol=1e-5)


@pytest.mark.parametrize("fill", ["mean", "median", "draw"])
@pytest.mark.parametrize("number", [0, 1, 3])
def test_types_categories_and_missing_values_survive(mixed, fill, number):
    recorder = Recorder()
    encoder = relax.Encoder(recorder, modality=relax.Table(reference_data=mixed))
    row = mixed.iloc[number]
    relax.explain(encoder, row, fill=fill, n_masks=16)
    values = {
        "mean": {"whole": 3, "nullable": 2, "real": 2.0, "kind": "y", "word": "q", "flag": False},
        "median": {"whole": 3, "nullable": 3, "real": 1.5, "kind": "y", "word": "q", "flag": False},
    }
    for frame in recorder.frames:
        assert dict(frame.dtypes) == dict(mixed.dtypes)
        assert list(frame.index) == list(range(len(frame)))
        for column, filled in values.get(fill, {}).items():
            allowed = {str(row[column]), str(filled)}
            assert set(frame[column].map(str)) <= allowed | {"<NA>" if pd.isna(row[column]) else str(row[column])}


def test_a_draw_takes_all_removed_columns_from_one_row(numbers):
    recorder = Recorder()
    encoder = relax.Encoder(recorder, modality=relax.Table(reference_data=numbers))
    relax.explain(encoder, numbers.iloc[0], fill="draw")
    whole = numbers.to_numpy()
    for row in pd.concat(recorder.frames).to_numpy():
        others = row != whole[0]
        assert (whole[:, others] == row[others]).all(1).any()


def test_missing_needs_no_data_and_leaves_categories():
    row = pd.DataFrame({"a": [2.0], "kind": pd.Categorical(["x"], categories=["x", "y"])})
    recorder = Recorder()
    e = relax.explain(relax.Encoder(recorder, modality="table"), row, fill="missing")
    seen = pd.concat(recorder.frames)
    assert seen["a"].isna().any()
    assert seen["kind"].dtype == row["kind"].dtype
    assert seen["kind"].isna().any()
    assert e.labels == ("a = 2", "kind = x")


def test_groups_are_kept_together_and_named(numbers):
    encoder = relax.Encoder(linear, modality=relax.Table(reference_data=numbers))
    row = numbers.iloc[3]
    single = relax.explain(encoder, row, similarity="dot")
    grouped = relax.explain(encoder, row, similarity="dot", masks={"ends": ["a", "c"]})
    assert [label.partition(" = ")[0] for label in grouped.labels] == ["ends", "b"]
    # the score is additive, so the effect of a group is the sum of its columns'
    expected = [single.effect[0] + single.effect[2], single.effect[1]]
    np.testing.assert_allclose(grouped.effect, expected, rtol=1e-4, atol=1e-5)
    again = relax.explain(encoder, row, **{**grouped.arguments(), "design": "foldover"})
    np.testing.assert_allclose(again.importance, grouped.importance, atol=1e-6)


def test_forms_of_a_row_are_equal_and_a_table_is_a_list(mixed):
    encoder = relax.Encoder(Recorder(), modality=relax.Table(reference_data=mixed))
    row = mixed.iloc[[2]]
    reordered = dict(reversed(list(row.iloc[0].items())))
    maps = [relax.explain(encoder, source).importance for source in (row, row.iloc[0], reordered)]
    for other in maps[1:]:
        np.testing.assert_array_equal(other, maps[0])
    listed = relax.explain(encoder, mixed)
    assert len(listed) == 4
    np.testing.assert_array_equal(listed[2].importance, maps[0])


def test_against_itself_equals_plain(numbers):
    encoder = relax.Encoder(linear, modality=relax.Table(reference_data=numbers))
    row = numbers.iloc[0]
    plain, against = relax.explain(encoder, row), relax.explain(encoder, row, against=row)
    np.testing.assert_allclose(against.importance, plain.importance, atol=1e-7)


def test_a_pipeline_of_scikit_learn_is_an_encoder(mixed):
    compose, preprocessing = pytest.importorskip("sklearn.compose"), pytest.importorskip("sklearn.preprocessing")
    table = mixed[["whole", "flag", "word"]].dropna()
    encode = compose.make_column_transformer(
        (preprocessing.StandardScaler(), ["whole"]), (preprocessing.OneHotEncoder(), ["flag", "word"])
    ).fit(table)  # gives a sparse matrix
    encoder = relax.Encoder(encode, modality=relax.Table(reference_data=table))
    assert encoder.name == "ColumnTransformer"
    np.testing.assert_allclose(encoder.encode(table).numpy(), np.asarray(encode.transform(table)), atol=1e-6)
    e = relax.explain(encoder, table.iloc[0], similarity="dot")
    h = encode.transform(table)
    filled = pd.DataFrame({"whole": [2], "flag": [False], "word": ["q"]})  # the mean 7 / 3, rounded
    change = np.asarray(h[0] - encode.transform(filled)[0])
    own = np.asarray(h[0])
    expected = [change[0] * own[0], change[1:3] @ own[1:3], change[3:] @ own[3:]]
    np.testing.assert_allclose(2 * e.effect, expected, atol=1e-5)


def test_it_is_shown_saved_and_loaded(numbers, tmp_path):
    encoder = relax.Encoder(linear, modality=relax.Table(reference_data=numbers))
    e = relax.explain(encoder, numbers.iloc[0])
    e.save(tmp_path / "row.npz")
    loaded = relax.Explanation.load(tmp_path / "row.npz")
    assert loaded.labels == e.labels
    assert loaded.spans == ((0, 1), (1, 2), (2, 3))
    texts = [text.get_text() for text in loaded.plot().axes[0].get_yticklabels()]
    assert sorted(texts) == sorted(e.labels)
    assert "exact" in loaded.plot().axes[0].get_xlabel()
    shown = re.findall(r'<i title="(.*?): effect (\S+) \(exact\)', loaded.html())
    assert [name for name, _ in shown] == texts  # from above
    assert [float(value) for _, value in shown] == pytest.approx(sorted(e.effect, key=abs, reverse=True), abs=1e-4)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda row: row.drop("word"), "no column 'word'"),
        (lambda row: {**row, "more": 1}, "column 'more', which the reference data has not"),
        (lambda row: {**row, "whole": "abc"}, "column 'whole': expected int64, got 'abc'"),
        (lambda row: {**row, "kind": "unknown"}, "'unknown' is not one of its categories"),
        (lambda row: row.to_frame().T.iloc[:0], "empty table"),
        (lambda row: {}, "at least one column"),
        (lambda row: "word", "got a name without suffix"),
        (lambda row: 3, "got int"),
        (lambda row: pd.concat([row, row]), "distinct names, got 'whole' 2 times"),
    ],
)
def test_bad_rows_are_refused_in_one_line(mixed, change, message):
    encoder = relax.Encoder(Recorder(), modality=relax.Table(reference_data=mixed))
    with pytest.raises(relax.InputError, match=message) as caught:
        relax.explain(encoder, change(mixed.iloc[0]))
    assert "\n" not in str(caught.value)


def test_bad_arguments_are_refused_in_one_line(numbers):
    encoder = relax.Encoder(linear, modality=relax.Table(reference_data=numbers))
    with pytest.raises(relax.ArgumentError, match="no column 'z'"):
        relax.explain(encoder, numbers.iloc[0], masks={"g": ["z"]})
    with pytest.raises(relax.ArgumentError, match="'a' twice"):
        relax.FeatureMasks({"g": ["a"], "h": ["a"]})
    for groups in ({}, {"g": "a"}, {"g": []}, 3):
        with pytest.raises(relax.ArgumentError, match="expected `groups`"):
            relax.FeatureMasks(groups)
    with pytest.raises(relax.ArgumentError, match="needs the data"):
        relax.explain(relax.Encoder(linear, modality="table"), numbers.iloc[0])
    for data in (numbers.iloc[:0], numbers.to_numpy(), pd.DataFrame()):
        with pytest.raises(relax.ArgumentError, match="reference_data"):
            relax.Table(reference_data=data)
    with pytest.raises(relax.ArgumentError, match="supports image"):
        relax.explain(encoder, numbers.iloc[0], fill="blur")


def test_a_bad_row_leaves_the_others(numbers):
    encoder = relax.Encoder(linear, modality=relax.Table(reference_data=numbers))
    sources = [numbers.iloc[0], {"a": 1.0}, numbers.iloc[1]]
    results = list(relax.Explainer(encoder).stream(sources, errors="return"))
    assert [type(result).__name__ for result in results] == ["Explanation", "Failed", "Explanation"]


@pytest.mark.parametrize("method", ["repeat", "repeat-weighted"])
def test_methods_that_resample_masks_do_not_try_each_once(numbers, method):
    encoder = relax.Encoder(linear, modality=relax.Table(reference_data=numbers))
    e = relax.explain(encoder, numbers.iloc[0], method=method, n_masks=128)
    assert e.importance.shape == (3,)
    assert e.settings["design"] == "foldover"
    with pytest.raises(relax.ArgumentError, match="resamples masks"):
        relax.explain(encoder, numbers.iloc[0], method=method, design="exhaustive")


def test_methods_and_fills_of_other_inputs_are_refused(numbers):
    encoder = relax.Encoder(linear, modality=relax.Table(reference_data=numbers))
    with pytest.raises(relax.ArgumentError, match="one floating-point tensor"):
        relax.explain(encoder, numbers.iloc[0], method="saliency")
    for fill in ("zero", relax.fills.create("mean")):
        with pytest.raises(relax.ArgumentError, match="does not know rows of tables"):
            relax.explain(encoder, numbers.iloc[0], fill=fill)
