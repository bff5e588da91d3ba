"""Geometry: from maps at the encoder's input resolution to the original picture."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np


def at_picture(values: np.ndarray, source: Mapping[str, Any], size: tuple[int, int] | None = None) -> np.ndarray:
    """Resize a map to the picture, and place it at the encoder's crop.

    Args:
        values: map ``(H, W)`` at the encoder's input resolution.
        source: provenance of the input, with ``"picture_size"`` (width, height) and ``"box"``, the encoder's crop
            (left, top, right, bottom, in pixels of the picture); without them, the map is only resized.
        size: ``(height, width)`` of the result; ``None`` for the picture's own, or the map's without a picture.

    Returns:
        ``(height, width)`` float32, resized bilinearly; NaN outside the encoder's crop.
    """
    if "picture_size" not in source:
        return (
            np.asarray(values, dtype=np.float32) if size in (None, values.shape) else _resized(values, size or (1, 1))
        )
    width, height = source["picture_size"]
    target_height, target_width = size or (height, width)
    scale = (target_width / width, target_height / height)
    left, top, right, bottom = (round(edge * scale[side % 2]) for side, edge in enumerate(source["box"]))
    result = np.full((target_height, target_width), np.nan, dtype=np.float32)
    cropped = _resized(values, (max(bottom - top, 1), max(right - left, 1)))
    rows, columns = slice(max(top, 0), min(bottom, target_height)), slice(max(left, 0), min(right, target_width))
    result[rows, columns] = cropped[rows.start - top : rows.stop - top, columns.start - left : columns.stop - left]
    return result


def _resized(values: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    from skimage.transform import resize  # only figures need it

    return np.asarray(resize(np.asarray(values, np.float64), size, order=1, mode="edge", clip=False), dtype=np.float32)
