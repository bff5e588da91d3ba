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

from relax._support.extras import require
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
        described: names of the units as in the store, those of columns with the value that the row has there.
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
    described: list[list[str]] | None = None

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
            some(self.described),
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
    table = opened.table(columns).sort_by("key")
    identity = table.select(COLUMNS).to_pylist()
    reasons = Counter(_kind(row["reason"]) for row in identity if row["reason"] is not None)
    sizes = zip(*(_lengths(table.column(name)) for name in ("importance", "representation")), strict=True)
    good = [
        place
        for place, (row, size) in enumerate(zip(identity, sizes, strict=True))
        if row["reason"] is None and all(size)
    ]
    if not good:
        most = f"; most often: {reasons.most_common(1)[0][0]}" if reasons else ""
        raise InputError(f"{opened.folder}: expected explained inputs, got none of {len(identity)}{most}")
    table = table.take(good)
    representations = _vectors(table.column("representation"))
    if len({len(values) for values in representations}) > 1:
        raise InputError(f"{opened.folder}: expected representations of one length; the store is damaged")
    shapes = table.column("shape").to_pylist()
    maps = {name: _maps(table.column(name), shapes) for name in MAPS}
    described = None if table.column("labels").null_count else table.column("labels").to_pylist()
    return Rows(
        opened.folder,
        opened.manifest,
        [identity[place] for place in good],
        np.array(representations, dtype=np.float32),
        maps["importance"] or [],
        maps["uncertainty"],
        maps["standard_error"],
        None if described is None else [_names(opened.manifest, names) for names in described],
        [json.loads(value or "{}") for value in table.column("input").to_pylist()],
        reasons,
        described,
    )


def _maps(column: Any, shapes: list[list[int]]) -> list[np.ndarray] | None:
    """Maps from a column of flattened ones; ``None`` if an input has none."""
    if column.null_count:
        return None
    return [values.astype(np.float64).reshape(shape) for values, shape in zip(_vectors(column), shapes, strict=True)]


def _vectors(column: Any) -> list[np.ndarray]:
    """Arrays from a column of lists without nulls; a number as a Python object would take six times the memory."""
    found = []
    for chunk in column.chunks:
        ends = np.cumsum(_lengths(chunk))
        found += np.split(chunk.flatten().to_numpy(zero_copy_only=False), ends[:-1]) if len(chunk) else []
    return found


def _lengths(column: Any) -> list[int]:
    """Number of elements of each list; 0 for null."""
    lengths = require("pyarrow.compute", extra="insight").list_value_length(column)
    return [length or 0 for length in lengths.to_pylist()]


def _names(manifest: dict[str, Any], labels: list[str]) -> list[str]:
    """Names of units; those of columns come without the value that the row has there."""
    if manifest["settings"]["modality"] != "table":
        return labels
    return [label.partition(" = ")[0] for label in labels]


def _kind(reason: str) -> str:
    """A reason without the file that it is about."""
    return reason.rpartition(": ")[2]
