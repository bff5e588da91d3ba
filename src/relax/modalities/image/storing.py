"""Pictures of data sets: cells of a table, the shape of stored maps, and a picture that tells encoders apart."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, UnidentifiedImageError

from relax.errors import InputError

SIDE = 14
"""Side of a stored map."""

MOST_PATCHES = 256
"""Most patches at which a map is stored patch by patch."""


def from_cell(value: Any, folder: Path) -> Any:
    """A picture from a cell of a table.

    Args:
        value: a path, relative to ``folder``; the bytes of a picture file, alone or under ``"bytes"`` of a mapping (as
            the ``datasets`` library keeps them); anything else is left as it is.
        folder: folder of the table.

    Raises:
        InputError: there is no value, or the bytes are not those of a picture.
    """
    if isinstance(value, Mapping) and {"bytes", "path"} >= set(value):
        value = value.get("bytes") or value.get("path")
    if value is None or (isinstance(value, str) and not value):
        raise InputError("expected a path or a picture, got an empty cell")
    if isinstance(value, str):
        return folder / value
    if not isinstance(value, bytes):
        return value
    try:
        picture = Image.open(io.BytesIO(value))
        picture.load()
    except UnidentifiedImageError:
        raise InputError(f"{len(value):,} bytes that are not a picture") from None
    except (OSError, SyntaxError, ValueError) as error:  # raised by Pillow's decoders on damaged files
        raise InputError(f"{len(value):,} bytes that cannot be read as a picture: {error}") from error
    return picture


def stored_shape(shape: tuple[int, ...], masks: Any) -> tuple[int, ...]:
    """Shape in which a map is stored: the patches of its masks, where there are few, or at most ``SIDE`` a side.

    Args:
        shape: ``(H, W)`` of the map.
        masks: settings of the masks, as in an explanation.
    """
    if isinstance(masks, Mapping) and masks.get("name") == "patches":
        side = int(masks["patch"]) * int(masks.get("group", 1))
        patches = tuple(-(-length // side) for length in shape)
        if patches[0] * patches[1] <= MOST_PATCHES:
            return patches
    return tuple(min(SIDE, length) for length in shape)


def probe_picture() -> np.ndarray:
    """A fixed picture by which encoders are compared, ``(96, 128, 3)`` uint8."""
    rows, columns = np.mgrid[0:96, 0:128]
    return np.stack([rows * 2, columns * 2 - 1, (rows * columns) % 251], axis=-1).clip(0, 255).astype(np.uint8)
