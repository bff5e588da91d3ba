"""The rows of a store that a report is about: those with a map and a representation."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from relax.errors import InputError
from relax.runs.records import MAPS
from relax.runs.store import Store

COLUMNS = ("key", "path", "row", "checksum", "size", "modified", "reason", "score", "neutral", "reliability")
"""Columns that are read beside representations and maps."""


@dataclass(frozen=True)
class Rows:
    """Explained inputs of a store, in the order of their keys.

    Attributes:
        folder: the store.
        manifest: its manifest.
        identity: ``key, path, row, checksum, size, modified`` and so on, one mapping a row.
        representations: ``(N, D)`` float32.
        importance: maps, each of its own shape.
        uncertainty: likewise; ``None`` if the method has none.
        standard_error: likewise.
        labels: names of the units of each input; ``None`` if units have no names.
        provenance: what the modality says of each input.
        reasons: why inputs have no row here, and how many of each.
    """

    folder: Path
    manifest: dict[str, Any]
    identity: list[dict[str, Any]]
    representations: np.ndarray
    importance: list[np.ndarray]
    uncertainty: list[np.ndarray] | None
    standard_error: list[np.ndarray] | None
    labels: list[list[str]] | None
    provenance: list[dict[str, Any]]
    reasons: Counter[str]

    def __len__(self) -> int:
        return len(self.identity)

    @property
    def keys(self) -> list[str]:
        """Names of the inputs."""
        return [row["key"] for row in self.identity]

    @property
    def modality(self) -> str:
        """Name of the modality."""
        return str(self.manifest["settings"]["modality"])

    @property
    def encoder(self) -> str:
        """Name of the encoder."""
        return str(self.manifest["encoder"].get("name"))

    @cached_property
    def neutral(self) -> np.ndarray:
        """Importance of a part without effect, ``(N,)``: the method's, or else the median of the map."""
        return np.array(
            [
                np.median(values) if row["neutral"] is None else row["neutral"]
                for row, values in zip(self.identity, self.importance, strict=True)
            ]
        )

    @cached_property
    def reliability(self) -> np.ndarray:
        """Reliability of each map, ``(N,)``; NaN where it is not known."""
        return np.array([np.nan if row["reliability"] is None else row["reliability"] for row in self.identity])

    @cached_property
    def unsure(self) -> np.ndarray | None:
        """Mean of each uncertainty map, ``(N,)``, in squared units of the score; ``None`` without such maps."""
        return None if self.uncertainty is None else np.array([float(values.mean()) for values in self.uncertainty])

    @cached_property
    def aligned(self) -> bool:
        """Whether a unit is the same one in every input, so that maps can be averaged."""
        shapes = {values.shape for values in self.importance}
        names = {tuple(names) for names in self.labels or ()}
        return len(shapes) == 1 and len(names) <= 1

    def taken(self, places: Sequence[int]) -> Rows:
        """These rows, in this order."""

        def some(values: Any) -> Any:
            return None if values is None else [values[place] for place in places]

        return Rows(
            self.folder,
            self.manifest,
            some(self.identity),
            self.representations[list(places)],
            some(self.importance),
            some(self.uncertainty),
            some(self.standard_error),
            some(self.labels),
            some(self.provenance),
            self.reasons,
        )


def read_rows(store: str | PathLike[str]) -> Rows:
    """Read the explained inputs of a store.

    Args:
        store: the folder, as written by :func:`relax.run`.

    Raises:
        InputError: there is no store, it is damaged, or none of its inputs was explained.
    """
    opened = Store(store)
    if opened.manifest is None:
        raise InputError(f"{opened.folder}: expected a store made by `relax run`, got no manifest.json")
    columns = [*COLUMNS, "representation", "shape", *MAPS, "labels", "input"]
    found = sorted(opened.table(columns).to_pylist(), key=lambda row: str(row["key"]))
    reasons = Counter(_kind(row["reason"]) for row in found if row["reason"] is not None)
    good = [row for row in found if row["reason"] is None and row["importance"] and row["representation"]]
    if not good:
        most = f"; most often: {reasons.most_common(1)[0][0]}" if reasons else ""
        raise InputError(f"{opened.folder}: expected explained inputs, got none of {len(found)}{most}")
    if len({len(row["representation"]) for row in good}) > 1:
        raise InputError(f"{opened.folder}: expected representations of one length; the store is damaged")
    maps = {name: _maps(good, name) for name in MAPS}
    return Rows(
        opened.folder,
        opened.manifest,
        [{name: row[name] for name in COLUMNS} for row in good],
        np.array([row["representation"] for row in good], dtype=np.float32),
        maps["importance"] or [],
        maps["uncertainty"],
        maps["standard_error"],
        [row["labels"] for row in good] if all(row["labels"] is not None for row in good) else None,
        [json.loads(row["input"] or "{}") for row in good],
        reasons,
    )


def _maps(rows: list[dict[str, Any]], name: str) -> list[np.ndarray] | None:
    if any(row[name] is None for row in rows):
        return None
    return [np.array(row[name], dtype=np.float64).reshape(row["shape"]) for row in rows]


def _kind(reason: str) -> str:
    """A reason without the file that it is about."""
    return reason.rpartition(": ")[2]
