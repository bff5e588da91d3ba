"""Rows of a store: one for each input, with its maps on the grid of the units, or the reason why there are none."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from math import isfinite
from typing import Any

import numpy as np

from relax._support.averaging import averaged
from relax._support.extras import require
from relax.explanation import Explanation

MAPS = ("importance", "uncertainty", "standard_error")
"""Columns of maps, flattened; ``shape`` has their shape."""

VECTORS = ("representation", *MAPS)

SETTINGS = ("source", "name", "sha256")
"""Entries of an input's provenance that are columns of their own, or are not kept."""


def schema() -> Any:
    """The Arrow schema of a shard."""
    pa = require("pyarrow", extra="run")
    vectors = pa.list_(pa.float32())
    fields = {
        "key": pa.string(),
        "path": pa.string(),
        "row": pa.int64(),
        "checksum": pa.string(),
        "size": pa.int64(),
        "modified": pa.int64(),
        "reason": pa.string(),
        "seed": pa.int64(),
        "n_masks": pa.int32(),
        "degrees_of_freedom": pa.int32(),
        "forwards": pa.int32(),
        "seconds": pa.float32(),
        "precision": pa.string(),
        "score": pa.float64(),
        "neutral": pa.float64(),
        "reliability": pa.float64(),
        "representation": vectors,
        "shape": pa.list_(pa.int32()),
        **dict.fromkeys(MAPS, vectors),
        "labels": pa.list_(pa.string()),
        "spans": pa.list_(pa.list_(pa.int64())),
        "input": pa.string(),
    }
    return pa.schema(list(fields.items()))


def table_of(rows: Sequence[Mapping[str, Any]]) -> Any:
    """Rows as a ``pyarrow.Table`` of the schema; columns that a row lacks are null."""
    pa = require("pyarrow", extra="run")
    columns = {field.name: pa.array([row.get(field.name) for row in rows], field.type) for field in schema()}
    return pa.table(columns, schema=schema())


def record_of(e: Explanation) -> dict[str, Any]:
    """The columns of an explanation; those of the input's identity are added by the caller.

    Args:
        e: the explanation.
    """
    shape = e.modality.stored_shape(e)
    cost, provenance = e.settings["cost"], e.settings["input"]
    return {
        "seed": e.settings["seed"],
        "n_masks": e.n_masks,
        "degrees_of_freedom": e.degrees_of_freedom,
        "forwards": cost["forwards"],
        "seconds": cost["seconds"],
        "precision": e.settings["precision"],
        "score": e.score,
        "neutral": e.neutral,
        "reliability": e.reliability if isfinite(e.reliability) else None,
        "representation": e.representation,
        "shape": list(shape),
        **{name: _stored(getattr(e, name), shape) for name in MAPS},
        "labels": None if e.labels is None else list(e.labels),
        "spans": None if e.spans is None else [list(span) for span in e.spans],
        "input": json.dumps({name: value for name, value in provenance.items() if name not in SETTINGS}),
    }


def summary_of(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row without its maps and vectors, ready for JSON."""
    names = ("key", "path", "row", "reason", "n_masks", "reliability", "score", "neutral", "seconds")
    return {name: row.get(name) for name in names}


def _stored(values: np.ndarray | None, shape: tuple[int, ...]) -> np.ndarray | None:
    """A map as it is stored, flattened."""
    return None if values is None else averaged(values, shape).ravel()
