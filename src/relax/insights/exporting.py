"""``export``: a store as one table, for embedding-atlas, for FiftyOne, or for anything that reads Parquet."""

from __future__ import annotations

from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from relax._support.atomic import atomic_write, writable_folder
from relax.errors import ArgumentError
from relax.insights.drawing import png, thumbnail
from relax.insights.projection import neighbours, projected
from relax.insights.report import Insight, insight
from relax.insights.writing import Table, parquet

FORMATS = ("embedding-atlas", "fiftyone", "parquet")

SIDE = 160
"""Longest side of a thumbnail in an export."""


@dataclass(frozen=True)
class Exported:
    """What an export wrote.

    Attributes:
        path: the Parquet file, or the folder.
        n: number of inputs.
        projection: ``"umap"`` or ``"pca"``.
        gone: pictures that are no longer there, so that they have no thumbnail.
        command: how to open it.
    """

    path: Path
    n: int
    projection: str
    gone: int
    command: str


def export(
    store: Any,
    out: str | PathLike[str],
    to: str = "embedding-atlas",
    *,
    projection: str = "auto",
    source: Any = None,
    column: str | None = None,
    seed: int = 0,
) -> Exported:
    """Write a store for a viewer of embeddings: projection, neighbours, thumbnails with the map drawn in, figures.

    Args:
        store: folder of a store made by :func:`relax.run`, or what that returned.
        out: the Parquet file to write, or for FiftyOne the folder.
        to: ``"embedding-atlas"`` and ``"parquet"``: a table with a row an input; ``"parquet"`` also has representations
            and maps. ``"fiftyone"``: a folder in FiftyOne's format, with pictures and maps as heat maps.
        projection: ``"umap"``, ``"pca"`` or ``"auto"``: UMAP where umap-learn is installed.
        source: where the inputs are, if they are no longer where the store was made from.
        column: column of the inputs in a table.
        seed: seed of projection and clusterings.

    Returns:
        What was written, and how to open it.

    Raises:
        InputError: there is no store, it is damaged, or none of its inputs was explained.
        ArgumentError: there is no such format or projection, FiftyOne is to show something else than pictures that are
            there, or nothing can be written.
    """
    check_format(to)
    found = insight(store, source=source, column=column, seed=seed)
    places, how = projected(found.rows.representations, projection, seed)
    table = _table(found, places)
    if to == "fiftyone":
        from relax.insights.fiftyone import write_dataset  # which needs Exported

        return write_dataset(found, table, Path(out), how)
    path = Path(out)
    if path.is_dir() or not path.suffix:
        path = writable_folder(path) / f"{to}.parquet"
    gone = _add_inputs(found, table)
    if to == "parquet":
        _add_vectors(found, table)
    with atomic_write(path) as file:
        file.write(parquet(table))
    shown = "--image image" if found.rows.modality == "image" and gone < len(table) else "--text text"
    given = f"{shown} " if "image" in table[0] or "text" in table[0] else ""
    command = f"embedding-atlas {path} {given}--x projection_x --y projection_y --neighbors neighbors"
    return Exported(path, len(table), how, gone, command)


def check_format(to: str) -> None:
    """Refuse a format that there is not.

    Args:
        to: name of the format.

    Raises:
        ArgumentError: there is no such format.
    """
    if to not in FORMATS:
        raise ArgumentError(f"expected the format to be one of {', '.join(FORMATS)}, got {to!r}")


def _table(found: Insight, places: np.ndarray) -> Table:
    """A row an input: its figures, projection and neighbours."""
    near, distances = neighbours(found.rows.representations)
    return [
        {
            **row,
            "projection_x": float(x),
            "projection_y": float(y),
            "neighbors": {"ids": ids.tolist(), "distances": far.tolist()},
        }
        for row, (x, y), ids, far in zip(found.inputs(), places, near, distances, strict=True)
    ]


def _add_inputs(found: Insight, table: Table) -> int:
    """Add a thumbnail or a text to each row; returns how many pictures are gone."""
    gone = 0
    labels = found.rows.described
    between = ", " if found.rows.modality == "table" else " "
    for place, row in enumerate(table):
        if found.rows.modality == "image":
            picture = found.seen.picture(place)
            gone += picture is None
            content = None if picture is None else png(thumbnail(picture, found.rows.importance[place], SIDE))
            row["image"] = None if content is None else {"bytes": content, "path": f"{place}.png"}
        elif labels is not None:
            row["text"] = between.join(name.strip() for name in labels[place])
    return gone


def _add_vectors(found: Insight, table: Table) -> None:
    for place, row in enumerate(table):
        row["representation"] = found.rows.representations[place]
        row["shape"] = list(found.rows.importance[place].shape)
        row["importance"] = found.rows.importance[place].ravel()
