"""A column copied from another row: is it what makes the row like that one?

A row x gets one column of another row t. Of the result, only that column is like t rather than like x: it must come out
on top when the result is explained against t with x as foil.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from palmerpenguins import load_penguins
from sklearn.compose import make_column_transformer
from sklearn.datasets import load_breast_cancer
from sklearn.decomposition import PCA
from sklearn.impute import SimpleImputer
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

import relax
from benchmarks.modalities.counting import share

CASES = 200
SEED = 0
CLEAR = 1.0
"""Standard deviations by which the two rows differ in a column of numbers that is copied."""

FILLS = ("mean", "median", "draw")


def penguins() -> tuple[pd.DataFrame, Any]:
    """Rows with categories and missing values; a pipeline of scikit-learn ending in a PCA."""
    table = load_penguins().drop(columns="year")
    table = table.astype(dict.fromkeys(("species", "island", "sex"), "category"))
    numbers, categories = table.select_dtypes("number").columns, table.select_dtypes("category").columns
    columns = make_column_transformer(
        (make_pipeline(SimpleImputer(), StandardScaler()), list(numbers)),
        (make_pipeline(SimpleImputer(strategy="most_frequent"), OneHotEncoder()), list(categories)),
        sparse_threshold=0,
    )
    return table, make_pipeline(columns, PCA(6, random_state=SEED)).fit(table)


def tumours() -> tuple[pd.DataFrame, Any]:
    """The ten means of the breast cancer data; the hidden layer of a network that tells the classes apart."""
    data = load_breast_cancer(as_frame=True)
    table = data.data.iloc[:, :10]
    scaler = StandardScaler().fit(table)
    network = MLPClassifier((32,), max_iter=1000, random_state=SEED).fit(scaler.transform(table), data.target)
    weights, bias = network.coefs_[0], network.intercepts_[0]

    def hidden(frame: pd.DataFrame) -> np.ndarray:
        return np.maximum(scaler.transform(frame) @ weights + bias, 0)

    return table, hidden


def cases(table: pd.DataFrame, n: int) -> Iterator[tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame, int]]:
    """The row with the copied column, the row that it comes from, the row that it went into, and its position."""
    rng = np.random.default_rng(SEED)
    whole = table.dropna()
    while n:
        into, source = rng.choice(len(whole), 2, replace=False)
        place = int(rng.integers(len(table.columns)))
        x, t = whole.iloc[[into]], whole.iloc[[source]]
        column = table.columns[place]
        values = x[column].iloc[0], t[column].iloc[0]
        numeric = pd.api.types.is_numeric_dtype(table[column])
        clear = abs(values[0] - values[1]) > CLEAR * table[column].std() if numeric else values[0] != values[1]
        if not clear:
            continue
        planted = x.copy()
        planted[column] = t[column].array
        n -= 1
        yield planted, t, x, place


def farthest(table: pd.DataFrame, row: pd.DataFrame) -> int:
    """Control: the column of numbers that is farthest from its mean, in standard deviations."""
    numbers = table.select_dtypes("number")
    distances = ((row[numbers.columns] - numbers.mean()) / numbers.std()).abs().iloc[0]
    return table.columns.get_loc(distances.idxmax())


def run(n: int) -> Iterator[str]:
    """Lines of figures."""
    tables: dict[str, Callable[[], tuple[pd.DataFrame, Any]]] = {
        "penguins, pipeline with PCA": penguins,
        "tumours, hidden layer": tumours,
    }
    for name, build in tables.items():
        table, model = build()
        encoder = relax.Encoder(model, modality=relax.Table(reference_data=table))
        scenes = list(cases(table, n))
        for fill in FILLS:
            hits = []
            for planted, t, x, place in scenes:
                e = relax.explain(encoder, planted, relax.Corpus([t], foil=[x]), fill=fill)
                hits.append(int(np.argmax(e.effect)) == place)
            yield share(f"{name}, fill {fill}: the copied column is on top", hits, 1 / len(table.columns))
        hits = [farthest(table, planted) == place for planted, _, _, place in scenes]
        yield share(f"{name}, control: the number farthest from its mean", hits)


def picture() -> Figure:
    """One penguin."""
    table, model = penguins()
    encoder = relax.Encoder(model, modality=relax.Table(reference_data=table), name="penguins")
    return relax.explain(encoder, table.iloc[[0]]).plot()


def pair() -> Figure:
    """Two penguins."""
    table, model = penguins()
    encoder = relax.Encoder(model, modality=relax.Table(reference_data=table), name="penguins")
    return relax.match(encoder, table.iloc[[0]], table.iloc[[40]], regions=True).plot()
