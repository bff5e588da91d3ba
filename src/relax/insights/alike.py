"""What makes the members of a cluster alike, and an outlier odd: maps against the centre of a cluster."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from relax._support.averaging import averaged
from relax.encoders import Encoder, ensure, load_encoder
from relax.encoders.loading import options_in
from relax.errors import ArgumentError
from relax.explainer import Explainer
from relax.explanation import Explanation
from relax.insights.clusters import Clusters
from relax.insights.rows import Rows
from relax.insights.seen import Seen
from relax.references import Cluster

MASKS = 256
"""Masks of each map."""

CLOSE = 0.99
"""Least cosine similarity of a representation in the store and now, for an encoder to count as the same."""


def against_clusters(
    rows: Rows, seen: Seen, clusters: Clusters, places: Iterable[int], encoder: Any, n_masks: int = MASKS, seed: int = 0
) -> dict[int, np.ndarray]:
    """Maps of inputs against the centre of their own cluster: what is positive brings an input nearer to it.

    Args:
        rows: explained inputs.
        seen: the inputs; those that are gone have no map.
        clusters: of the representations.
        places: which inputs.
        encoder: the encoder of the store, or its name.
        n_masks: masks of each map.
        seed: seed of the masks.

    Returns:
        The importance less its neutral value by place, in units of the cosine similarity.

    Raises:
        ArgumentError: the encoder is another one than that of the store.
    """
    loaded = _loaded(encoder, rows)
    if loaded.modality.name != rows.modality:
        raise ArgumentError(
            f"{rows.folder}: expected its own encoder {rows.encoder!r}, of {rows.modality} inputs, got one of "
            f"{loaded.modality.name} inputs; give the encoder that made the store"
        )
    explainer = Explainer(loaded, n_masks=n_masks, seed=seed, similarity="cosine")
    found: dict[int, np.ndarray] = {}
    for place in places:
        value = seen.value(place)
        if value is None:
            continue
        if not found:
            _check(loaded, value, place, rows)
        e = explainer(value, against=Cluster(clusters.model, int(clusters.labels[place])))
        found[place] = _reduced(e, rows.importance[place].shape)
    return found


def _loaded(encoder: Any, rows: Rows) -> Encoder:
    """The encoder; by the store's own name, with the options that the store was made with."""
    if not isinstance(encoder, str):
        return ensure(encoder)
    settings = rows.manifest["encoder"]
    options = options_in(settings) if encoder == settings["name"] else {}
    if encoder.startswith("python:"):
        options["modality"] = rows.modality
        data = settings.get("data")
        if data is not None:
            options["data"] = data if Path(data).exists() else str(rows.manifest["source"])
    return load_encoder(encoder, **options)


def _reduced(e: Explanation, shape: tuple[int, ...]) -> np.ndarray:
    """The effect of each unit, at the shape of the store's maps where it has as many axes."""
    effect = np.asarray(e.importance, dtype=np.float64) - e.neutral
    fits = effect.ndim == len(shape) and all(now >= kept for now, kept in zip(effect.shape, shape, strict=True))
    return averaged(effect, shape).astype(np.float64) if fits else effect


def _check(encoder: Encoder, value: Any, place: int, rows: Rows) -> None:
    kept = rows.representations[place]
    now = encoder.encode(value).reshape(-1).numpy().astype(np.float64)
    cosine = (
        float(now @ kept / max(np.linalg.norm(now) * np.linalg.norm(kept), 1e-12)) if now.shape == kept.shape else 0.0
    )
    if cosine < CLOSE:
        raise ArgumentError(
            f"{rows.folder}: expected its own encoder {rows.encoder!r}, got one that represents {rows.keys[place]} "
            f"otherwise (cosine similarity {cosine:.2f}); give the encoder that made the store"
        )
