"""A folder that FiftyOne imports: pictures, maps as heat maps, figures as fields.

The format is FiftyOne's ``LegacyFiftyOneDataset``: ``samples.json`` beside ``data`` and ``fields``, with paths
relative to the folder. FiftyOne itself is not needed to write it.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from relax._support.atomic import atomic_write, writable_folder
from relax.errors import ArgumentError
from relax.insights.drawing import png, thumbnail
from relax.insights.exporting import Exported
from relax.insights.report import Insight
from relax.insights.writing import Table, plain

SIDE = 512
"""Longest side of a picture in pixels."""

BRIGHTEST = 0.995
"""Quantile of the effects of all inputs that is drawn as 255; the neutral value is 0. Maps share this scale."""

HEAT = "fields/importance"
"""Folder of the maps, where the importer looks for the files of the field ``importance``."""


def write_dataset(found: Insight, table: Table, folder: Path, projection: str) -> Exported:
    """Write pictures, maps and fields.

    Args:
        found: what is known of the store.
        table: a row an input, with its projection and neighbours.
        folder: where to.
        projection: name of the projection.

    Raises:
        ArgumentError: the store holds no pictures that are still there, or the folder cannot be written to.
    """
    rows, seen = found.rows, found.seen
    here = seen.here
    if not here:
        raise ArgumentError(
            f"{rows.folder}: expected pictures for FiftyOne, got {rows.modality} inputs"
            + (" that are gone" if rows.modality == "image" else "")
            + "; use --to parquet"
        )
    effects = {place: rows.importance[place] - rows.neutral[place] for place in here}
    top = max(float(np.quantile(np.concatenate([one.ravel() for one in effects.values()]), BRIGHTEST)), 1e-12)
    samples = []
    for part in ("data", HEAT):
        writable_folder(folder / part)
    for place in here:
        picture = seen.picture(place)
        name = f"{place:06d}.png"
        grey = (255 * np.clip(effects[place] / top, 0, 1)).round().astype(np.uint8)
        if picture is not None:
            _save(folder / "data" / name, thumbnail(picture, side=min(SIDE, max(picture.size))))
        _save(folder / HEAT / name, Image.fromarray(grey))
        samples.append(_sample(table[place], name, rows.representations[place]))
    with atomic_write(folder / "samples.json") as file:
        file.write(json.dumps({"samples": samples}).encode())
    command = f"fiftyone.Dataset.from_dir({str(folder)!r}, dataset_type=fiftyone.types.LegacyFiftyOneDataset)"
    return Exported(folder, len(samples), projection, len(rows) - len(samples), command)


def _save(path: Path, picture: Image.Image) -> None:
    with atomic_write(path) as file:
        file.write(png(picture))


def _sample(row: dict[str, Any], name: str, representation: np.ndarray) -> dict[str, Any]:
    fields = {key: value for key, value in row.items() if key not in ("neighbors", "path") and value is not None}
    sample: dict[str, Any] = plain(
        {
            "filepath": f"data/{name}",
            "tags": [],
            "importance": {"_cls": "Heatmap", "map_path": f"{HEAT}/{name}"},
            "representation": representation.tolist(),
            **fields,
        }
    )
    return {key: value for key, value in sample.items() if value is not None}
