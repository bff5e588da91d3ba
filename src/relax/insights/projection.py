"""Representations in two dimensions, and their nearest neighbours."""

from __future__ import annotations

import warnings
from importlib.util import find_spec

import numpy as np

from relax._support.extras import require
from relax.errors import ArgumentError
from relax.insights.clusters import unit_length

PROJECTIONS = ("auto", "umap", "pca")

NEIGHBOURS = 15
"""Neighbours of each input; also those of UMAP."""


def projected(representations: np.ndarray, how: str = "auto", seed: int = 0) -> tuple[np.ndarray, str]:
    """Project representations, scaled to length 1, to two dimensions.

    Args:
        representations: ``(N, D)``.
        how: ``"umap"`` (McInnes et al. 2018, the package umap-learn), ``"pca"``, or ``"auto"`` for UMAP where it is
            installed and there are at least five inputs.
        seed: seed of UMAP.

    Returns:
        ``(N, 2)`` and the name of the projection that was used.

    Raises:
        ArgumentError: the projection is unknown.
        MissingExtraError: umap-learn is not installed, and was asked for.
    """
    if how not in PROJECTIONS:
        raise ArgumentError(f"expected the projection to be one of {', '.join(PROJECTIONS)}, got {how!r}")
    unit = unit_length(representations)
    n = len(unit)
    if how == "umap" or (how == "auto" and n >= 5 and find_spec("umap") is not None):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # such as that a seed means one thread
            umap = require("umap", extra="insight")
            model = umap.UMAP(n_neighbors=max(2, min(NEIGHBOURS, n - 1)), metric="cosine", random_state=seed)
            return np.asarray(model.fit_transform(unit), dtype=np.float64), "umap"
    centred = unit - unit.mean(0)
    _, _, axes = np.linalg.svd(centred, full_matrices=False)
    places = centred @ axes[:2].T
    return np.pad(places, ((0, 0), (0, 2 - places.shape[1]))), "pca"


def neighbours(representations: np.ndarray, k: int = NEIGHBOURS) -> tuple[np.ndarray, np.ndarray]:
    """Nearest other inputs of each input, by cosine distance.

    Args:
        representations: ``(N, D)``.
        k: how many; fewer if there are not so many others.

    Returns:
        ``(N, k)`` numbers of rows and ``(N, k)`` distances, the nearest first.
    """
    n = len(representations)
    k = min(k, n - 1)
    if k < 1:
        return np.zeros((n, 0), dtype=np.int64), np.zeros((n, 0))
    model = require("sklearn.neighbors", extra="insight").NearestNeighbors(n_neighbors=k, metric="cosine")
    distances, places = model.fit(representations).kneighbors()
    return places, distances
