"""Between a map at the encoder's input resolution and the picture that a person sees."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from skimage.transform import resize


def at_picture(values: np.ndarray, source: Mapping[str, Any], size: tuple[int, int] | None = None) -> np.ndarray:
    """A map laid over the picture.

    Args:
        values: ``(H, W)``, at the encoder's input resolution.
        source: provenance of the input, with ``"picture_size"`` (width, height) and ``"box"``, the part of the picture
            that the encoder sees (left, top, right, bottom, in its pixels); without them the map is all there is.
        size: ``(height, width)`` of the result; the picture's own if not given.

    Returns:
        ``(height, width)`` float32, resized bilinearly; NaN where the encoder's transform cropped the picture away.
    """
    if "picture_size" not in source:
        return (
            np.asarray(values, dtype=np.float32) if size in (None, values.shape) else _resized(values, size or (1, 1))
        )
    width, height = source["picture_size"]
    high, wide = size or (height, width)
    scale = (wide / width, high / height)
    left, top, right, bottom = (round(edge * scale[side % 2]) for side, edge in enumerate(source["box"]))
    whole = np.full((high, wide), np.nan, dtype=np.float32)
    seen = _resized(values, (max(bottom - top, 1), max(right - left, 1)))
    rows, columns = slice(max(top, 0), min(bottom, high)), slice(max(left, 0), min(right, wide))
    whole[rows, columns] = seen[rows.start - top : rows.stop - top, columns.start - left : columns.stop - left]
    return whole


def _resized(values: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    return np.asarray(resize(np.asarray(values, np.float64), size, order=1, mode="edge", clip=False), dtype=np.float32)
