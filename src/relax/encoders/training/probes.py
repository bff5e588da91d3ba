"""Probe representations for class labels with scikit-learn: nearest neighbours and a linear classifier."""

from __future__ import annotations

import numpy as np

from relax._support.extras import require

NEIGHBOURS = 20


def knn_accuracy(train: tuple[np.ndarray, np.ndarray], test: tuple[np.ndarray, np.ndarray]) -> float:
    """Test accuracy of 20 nearest neighbours under the cosine distance.

    Args:
        train: ``(N, D)`` representations and ``(N,)`` labels.
        test: ``(M, D)`` representations and ``(M,)`` labels.

    Returns:
        A fraction in [0, 1].
    """
    neighbors = require("sklearn.neighbors", extra="evaluate")
    model = neighbors.KNeighborsClassifier(NEIGHBOURS, metric="cosine").fit(*train)
    return float(model.score(*test))


def linear_accuracy(train: tuple[np.ndarray, np.ndarray], test: tuple[np.ndarray, np.ndarray]) -> float:
    """Test accuracy of a logistic regression on standardised representations.

    Args:
        train: ``(N, D)`` representations and ``(N,)`` labels.
        test: ``(M, D)`` representations and ``(M,)`` labels.

    Returns:
        A fraction in [0, 1].
    """
    linear = require("sklearn.linear_model", extra="evaluate")
    pipeline = require("sklearn.pipeline", extra="evaluate")
    preprocessing = require("sklearn.preprocessing", extra="evaluate")
    model = pipeline.make_pipeline(preprocessing.StandardScaler(), linear.LogisticRegression(max_iter=1000))
    return float(model.fit(*train).score(*test))
