"""The pictures of a store, as the encoder saw them; only what is still there, and is what was explained."""

from __future__ import annotations

import io
import warnings
from collections.abc import Mapping, Sequence
from functools import cached_property, lru_cache
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from relax._support.averaging import averaged
from relax._support.registry import registry_of
from relax.errors import InputError, RelaxError, RelaxWarning
from relax.insights.describing import described
from relax.insights.rows import Rows
from relax.modalities import Modality
from relax.modalities.files import not_found
from relax.modalities.image.pictures import open_picture, upright_rgb
from relax.runs.checksums import checksum_of
from relax.runs.sources import Source, source_of
from relax.runs.worker import path_of, stamp_of

MASK_SUFFIXES = (".png", ".bmp", ".tif", ".webp", ".jpg")
"""Endings of the files in a folder of masks."""


SHOWN = 32
"""Most pictures that are held at once."""


class Seen:
    """Inputs of a store.

    Args:
        rows: the explained inputs.
        source: where they are; by default what the store was made from.
        column: column of a table.
    """

    def __init__(self, rows: Rows, source: Any = None, column: str | None = None) -> None:
        self.rows, self._asked, self._column = rows, source, column
        self.picture = lru_cache(SHOWN)(self._picture)
        self._described: dict[int, np.ndarray | None] = {}

    def taken(self, places: Sequence[int]) -> Seen:
        """The inputs of the rows at some places; what is known of their pictures stays known."""
        some = Seen(self.rows.taken(places), self._asked, self._column)
        known = self._described
        some._described = {new: known[place] for new, place in enumerate(places) if place in known}
        return some

    @cached_property
    def source(self) -> Source | None:
        """The source of the inputs, as it was asked for, or what the store was made from; ``None`` if that is gone.

        Raises:
            RelaxError: the source that was asked for cannot be read.
        """
        if self._asked is not None:
            return source_of(self._asked, self._modality, self._column)
        name, column = str(self.rows.manifest["source"]), self._column
        if not Path(name).exists():  # a table or data set is named with its column
            name, _, last = name.rpartition(":")
            column = column or last
        if not name or not Path(name).exists():
            return None
        try:
            return source_of(name, self._modality, column)
        except RelaxError:
            return None

    @cached_property
    def _places(self) -> dict[str, int]:
        """Positions in the source that was asked for, by key."""
        source = self.source
        return {} if source is None else {source[place].key: place for place in range(len(source))}

    @cached_property
    def _modality(self) -> Modality:
        modality: Modality = registry_of("modality")[self.rows.modality]()
        return modality

    def value(self, place: int) -> Any:
        """The input as the encoder takes it; ``None`` if it is gone, or has changed since it was explained."""
        row = self.rows.identity[place]
        if row["path"] is not None and self._asked is None:
            path = Path(row["path"])
            return path if _same(path, path, row) else None
        if self.source is None:
            return None
        position = row["row"] if self._asked is None else self._places.get(row["key"])
        if position is None or not position < len(self.source):
            return None
        cell, folder = self.source[position].value, self.source.folder
        try:
            file = path_of(cell, self._modality, folder)
            return self._modality.of_cell(cell, folder) if _same(cell, file, row) else None
        except RelaxError:
            return None

    def _picture(self, place: int) -> Image.Image | None:
        """The part of a picture that the encoder saw, RGB; ``None`` if it is gone, or the input is no picture."""
        if self.rows.modality != "image":
            return None
        value = self.value(place)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", RelaxWarning)  # was said when it was explained
                whole = _opened(value)
        except RelaxError:
            return None
        return None if whole is None else cropped(whole, self.rows.provenance[place])

    def described(self, place: int) -> np.ndarray | None:
        """Features of the units of a picture, ``(rows, columns, F)``; ``None`` if it is gone.

        Pictures are read once; their features are kept, about 5 KB each, and they are not.
        """
        if place not in self._described:
            picture = self.picture(place)
            height, width = (*self.rows.importance[place].shape, 1)[:2]
            self._described[place] = None if picture is None else described(picture, (height, width)).astype(np.float32)
        return self._described[place]

    @property
    def here(self) -> list[int]:
        """Places of the rows whose pictures can be shown."""
        return [place for place in range(len(self.rows)) if self.described(place) is not None]


def _same(value: Any, path: Path | None, row: Mapping[str, Any]) -> bool:
    """Whether an input is what was explained: by its checksum, unless a file looks untouched.

    Args:
        value: the input, or the cell that holds it.
        path: its file, if it has one.
        row: what the store knows of it.
    """
    if path is not None and stamp_of(path) == {"size": row["size"], "modified": row["modified"]}:
        return True
    try:
        return bool(checksum_of(value if path is None else path) == row["checksum"])
    except InputError:
        return False


def _opened(value: Any) -> Image.Image | None:
    if isinstance(value, PathLike):
        return open_picture(value)
    if isinstance(value, bytes):
        return upright_rgb(Image.open(io.BytesIO(value)))
    if isinstance(value, Image.Image):
        return upright_rgb(value)
    if isinstance(value, np.ndarray) and value.dtype == np.uint8:
        return Image.fromarray(value).convert("RGB")
    return None


def cropped(picture: Image.Image, provenance: dict[str, Any]) -> Image.Image:
    """The box of a picture that the encoder saw.

    Args:
        picture: the whole picture, or a mask of its size.
        provenance: of the input, with ``picture_size`` and ``box``.
    """
    if "box" not in provenance:
        return picture
    width, height = provenance["picture_size"]
    scale = (picture.width / width, picture.height / height)
    box = [round(edge * scale[side % 2]) for side, edge in enumerate(provenance["box"])]
    return picture.crop((box[0], box[1], max(box[2], box[0] + 1), max(box[3], box[1] + 1)))


def foregrounds(rows: Rows, folder: str | PathLike[str]) -> list[np.ndarray | None]:
    """The part of each unit that lies on the foreground, from 0 to 1; ``None`` where no mask is known.

    Args:
        rows: explained pictures.
        folder: masks under the keys of the inputs, with any ending of a picture; white is foreground.

    Raises:
        InputError: there is no such folder, or it has a mask of none of the inputs.
    """
    if not Path(folder).is_dir():
        raise not_found(Path(folder), "folder")
    found = masks_in(rows, folder)
    if all(mask is None for mask in found):
        raise InputError(
            f"{folder}: expected masks with the names of the inputs, such as {Path(rows.keys[0]).with_suffix('.png')}, "
            "got none"
        )
    return found


def masks_in(rows: Rows, folder: str | PathLike[str]) -> list[np.ndarray | None]:
    """Part of each unit on the foreground, as :func:`foregrounds`; all ``None`` if the folder has no such masks."""
    found: list[np.ndarray | None] = []
    for row, provenance, values in zip(rows.identity, rows.provenance, rows.importance, strict=True):
        stem = Path(folder, row["key"])
        path = next((path for path in map(stem.with_suffix, MASK_SUFFIXES) if path.is_file()), None)
        if path is None or values.ndim != 2:
            found.append(None)
            continue
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RelaxWarning)
            mask = cropped(open_picture(path).convert("L"), provenance)
        least = tuple(max(side, cells) for side, cells in zip(mask.size[::-1], values.shape, strict=True))
        if mask.size[::-1] != least:
            mask = mask.resize(least[::-1], Image.Resampling.NEAREST)
        found.append(averaged((np.asarray(mask) > 127).astype(np.float64), values.shape))
    return found
