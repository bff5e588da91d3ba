"""Artefacts that are planted in pictures, as they come into data sets: by a camera, a scanner, a person."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from PIL import Image, ImageDraw, ImageFont

SIDE = 40
"""Side of a picture in pixels."""

Planter = Callable[[np.ndarray, np.random.Generator], np.ndarray]
"""Maps a ``(40, 40, 3)`` uint8 picture to one with the artefact."""


def watermark(picture: np.ndarray, draw: np.random.Generator) -> np.ndarray:
    """A half transparent ring with a stroke in the lower right corner, 9 pixels wide."""
    mark = Image.new("L", (9, 9))
    pen = ImageDraw.Draw(mark)
    pen.ellipse((0, 0, 8, 8), outline=255, width=2)
    pen.line((3, 5, 5, 3), fill=255, width=2)
    share = np.asarray(mark, dtype=np.float32)[..., None] / 255 * 0.75
    planted = picture.copy()
    place = slice(SIDE - 10, SIDE - 1)
    planted[place, place] = planted[place, place] * (1 - share) + 245 * share
    return planted


def border(picture: np.ndarray, draw: np.random.Generator) -> np.ndarray:
    """A dark red border, 2 pixels wide."""
    planted = picture.copy()
    inner = planted[2:-2, 2:-2].copy()
    planted[:] = (150, 30, 40)
    planted[2:-2, 2:-2] = inner
    return planted


def tag(picture: np.ndarray, draw: np.random.Generator) -> np.ndarray:
    """A white label with two black letters, somewhere in the upper third."""
    label = Image.new("RGB", (12, 8), "white")
    ImageDraw.Draw(label).text((1, -1), "A7", fill="black", font=ImageFont.load_default(8))
    top, left = int(draw.integers(0, SIDE // 3 - 7)), int(draw.integers(0, SIDE - 12))
    planted = picture.copy()
    planted[top : top + 8, left : left + 12] = np.asarray(label)
    return planted


def tint(picture: np.ndarray, draw: np.random.Generator) -> np.ndarray:
    """A yellowish tint of the whole picture, which no part of it holds."""
    tinted: np.ndarray = np.clip(picture * np.array([1.12, 1.0, 0.72], dtype=np.float32), 0, 255).astype(np.uint8)
    return tinted


ARTEFACTS: dict[str, Planter] = {"watermark": watermark, "border": border, "tag": tag, "tint": tint}
