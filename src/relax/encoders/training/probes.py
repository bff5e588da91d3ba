"""How much of the labels is in a representation: nearest neighbours and a linear probe, by scikit-learn."""

from __future__ import annotations

import numpy as np

from relax._support.extras import require

NEIGHBOURS = 20


def knn_accuracy(train: tuple[np.ndarray, np.ndarray], test: tuple[np.ndarray, np.ndarray]) -> float:
    """Of 20 nearest neighbours by cosine, on ``(N, D)`` representations with ``(N,)`` labels."""
    neighbors = require("sklearn.neighbors", extra="evaluate")
    model = neighbors.KNeighborsClassifier(NEIGHBOURS, metric="cosine").fit(*train)
    return float(model.score(*test))


def linear_accuracy(train: tuple[np.ndarray, np.ndarray], test: tuple[np.ndarray, np.ndarray]) -> float:
    """Of a logistic regression on standardised representations."""
    linear = require("sklearn.linear_model", extra="evaluate")
    pipeline = require("sklearn.pipeline", extra="evaluate")
    preprocessing = require("sklearn.preprocessing", extra="evaluate")
    model = pipeline.make_pipeline(preprocessing.StandardScaler(), linear.LogisticRegression(max_iter=1000))
    return float(model.fit(*train).score(*test))
