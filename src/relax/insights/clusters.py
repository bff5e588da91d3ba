"""Clusters of the representations with their typical members, and inputs that are like no others."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from relax._support.extras import require
from relax.errors import ArgumentError

MOST = 10
"""Most clusters that are tried."""

SAMPLED = 2000
"""Most inputs by which the number of clusters is chosen."""

NEIGHBOURS = 20
"""Most neighbours that the density of an input is compared with."""


@dataclass(frozen=True)
class Clusters:
    """Representations in clusters.

    Attributes:
        model: the fitted :class:`sklearn.cluster.KMeans`, of representations scaled to length 1.
        labels: cluster of each input, ``(N,)``; the largest is 0.
        cosine: cosine similarity of each input to its centre, ``(N,)``.
        silhouette: mean silhouette of each cluster.
        oddness: local outlier factor of each input, ``(N,)``: about 1 within a crowd, larger far from it.
    """

    model: Any
    labels: np.ndarray
    cosine: np.ndarray
    silhouette: list[float]
    oddness: np.ndarray

    def typical(self, label: int, n: int) -> list[int]:
        """Places of the ``n`` members nearest to the centre of a cluster."""
        members = np.flatnonzero(self.labels == label)
        return [int(place) for place in members[np.argsort(-self.cosine[members], kind="stable")][:n]]

    def outliers(self, n: int) -> list[int]:
        """Places of the ``n`` oddest inputs."""
        return [int(place) for place in np.argsort(-self.oddness, kind="stable")[:n]]


def clustered(representations: np.ndarray, n_clusters: int | None = None, seed: int = 0) -> Clusters:
    """Cluster representations by their directions with k-means, and measure how odd each is.

    Args:
        representations: ``(N, D)``.
        n_clusters: number of clusters, at most that of different directions; ``None`` for the number from 2 to 10 with
            the largest mean silhouette.
        seed: seed of the beginnings.

    Raises:
        ArgumentError: there are fewer inputs than clusters.
    """
    n = len(representations)
    if n_clusters is not None and not 1 <= n_clusters <= n:
        raise ArgumentError(f"expected from 1 to {n} clusters, as many as inputs, got {n_clusters}")
    unit = unit_length(representations)
    number = min(n_clusters, _different(unit)) if n_clusters is not None else _number(unit, seed)
    model = require("sklearn.cluster", extra="insight").KMeans(number, n_init=5, random_state=seed).fit(unit)
    order = np.argsort(-np.bincount(model.labels_, minlength=number), kind="stable")
    model.cluster_centers_ = model.cluster_centers_[order]
    model.labels_ = np.argsort(order)[model.labels_].astype(model.labels_.dtype)
    centres = unit_length(model.cluster_centers_)
    return Clusters(
        model,
        model.labels_,
        (unit * centres[model.labels_]).sum(1),
        _silhouettes(unit, model.labels_, number),
        _oddness(unit),
    )


def unit_length(vectors: np.ndarray) -> np.ndarray:
    """Vectors scaled to length 1, as float64."""
    vectors = np.asarray(vectors, dtype=np.float64)
    scaled: np.ndarray = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
    return scaled


def _number(unit: np.ndarray, seed: int) -> int:
    cluster, metrics = (require(f"sklearn.{part}", extra="insight") for part in ("cluster", "metrics"))
    sample = unit[:: max(1, -(-len(unit) // SAMPLED))]
    scores = {}
    for number in range(2, min(MOST, len(sample) - 1, _different(sample)) + 1):
        labels = cluster.KMeans(number, n_init=3, random_state=seed).fit_predict(sample)
        if len(np.unique(labels)) > 1:
            scores[number] = float(metrics.silhouette_score(sample, labels))
    return max(scores, key=lambda number: scores[number]) if scores else 1


def _different(unit: np.ndarray) -> int:
    """Number of directions, where those that agree to six digits are one."""
    return len(np.unique(unit.round(6), axis=0))


def _silhouettes(unit: np.ndarray, labels: np.ndarray, number: int) -> list[float]:
    sample = slice(None, None, max(1, -(-len(unit) // SAMPLED)))
    some, own = unit[sample], labels[sample]
    if not 1 < len(np.unique(own)) < len(some):
        return [float("nan")] * number
    values = require("sklearn.metrics", extra="insight").silhouette_samples(some, own)
    return [float(values[own == label].mean()) if (own == label).any() else float("nan") for label in range(number)]


def _oddness(unit: np.ndarray) -> np.ndarray:
    if len(unit) < 3:
        return np.ones(len(unit))
    neighbors = require("sklearn.neighbors", extra="insight")
    model = neighbors.LocalOutlierFactor(min(NEIGHBOURS, len(unit) - 1)).fit(unit)
    oddness: np.ndarray = -model.negative_outlier_factor_
    return oddness
