"""Small pictures of inputs with their maps drawn in, and of maps; readable without colours."""

from __future__ import annotations

import base64
import io

import numpy as np
from PIL import Image

SIDE = 132
"""Longest side of a thumbnail in pixels."""

TOP = 0.8
"""Quantile of the map that the outline goes through: the most important fifth lies inside."""

MARKED = 5
"""Least side of a cell in pixels in which a negative value is marked by a bar."""

LEAST = 0.1
"""Share of the largest value from which a negative one is marked."""

DIM = 0.55
"""Brightness of what is outside the outline."""


def thumbnail(picture: Image.Image, importance: np.ndarray | None = None, side: int = SIDE) -> Image.Image:
    """A small picture; with a map, its most important fifth is outlined, and the rest is darker.

    Args:
        picture: what the encoder saw, RGB.
        importance: its map, ``(rows, columns)``.
        side: longest side in pixels.
    """
    scale = side / max(picture.size)
    size = (max(1, round(picture.width * scale)), max(1, round(picture.height * scale)))
    small = picture.convert("RGB").resize(size, Image.Resampling.LANCZOS if scale < 1 else Image.Resampling.NEAREST)
    if importance is None or importance.ndim != 2 or np.ptp(importance) == 0:
        return small
    values = np.asarray(
        Image.fromarray(importance.astype(np.float32)).resize(small.size, Image.Resampling.BICUBIC), dtype=np.float64
    )
    inside = values >= np.quantile(values, TOP)
    pixels = np.asarray(small, dtype=np.float64).copy()
    pixels[~inside] *= DIM
    edge = _edge(inside)
    around = _grown(edge) & ~edge
    pixels[around & ~inside] = 20
    pixels[edge] = (255, 236, 120)
    return Image.fromarray(pixels.round().astype(np.uint8))


def _edge(inside: np.ndarray) -> np.ndarray:
    padded = np.pad(inside, 1, constant_values=False)
    core = padded[:-2, 1:-1] & padded[2:, 1:-1] & padded[1:-1, :-2] & padded[1:-1, 2:]
    edge: np.ndarray = inside & ~core
    return edge


def _grown(mask: np.ndarray) -> np.ndarray:
    padded = np.pad(mask, 1)
    grown: np.ndarray = padded[:-2, 1:-1] | padded[2:, 1:-1] | padded[1:-1, :-2] | padded[1:-1, 2:] | padded[1:-1, 1:-1]
    return grown


def map_picture(values: np.ndarray, signed: bool = False, cell: int = 14) -> Image.Image:
    """A map as cells of grey, darker for larger values; a signed one from blue with a bar over white to red.

    Args:
        values: ``(rows, columns)``, or any other shape, which is drawn as one row.
        signed: whether values are above or below zero.
        cell: side of a cell in pixels; made smaller where there are many cells.
    """
    flat = values if values.ndim == 2 else values.reshape(1, -1)
    cell = max(2, min(cell, 400 // max(flat.shape)))
    if signed:
        share = flat / max(float(np.abs(flat).max()), 1e-12)
        strength = np.abs(share)[..., None] ** 0.7
        ends = np.where(share[..., None] > 0, np.array([178, 24, 43]), np.array([33, 102, 172]))
        colours = 255 * (1 - strength) + ends * strength
    else:
        share = (flat - flat.min()) / max(float(np.ptp(flat)), 1e-12)
        colours = (250 - 225 * share)[..., None].repeat(3, -1)
    cells = colours.round().astype(np.uint8).repeat(cell, 0).repeat(cell, 1)
    if signed and cell >= MARKED:  # a bar, which is seen without colours
        bars = (share < -LEAST).repeat(cell, 0).repeat(cell, 1)
        inside = np.zeros((cell, cell), dtype=bool)
        inside[cell // 2, cell // 4 : cell - cell // 4] = True
        cells[bars & np.tile(inside, flat.shape)] = 20
    return Image.fromarray(cells)


def png(picture: Image.Image) -> bytes:
    """PNG bytes of a picture."""
    file = io.BytesIO()
    picture.save(file, format="PNG", optimize=True)
    return file.getvalue()


def embedded(picture: Image.Image) -> str:
    """A picture as a ``data:`` URL, as a JPEG where that is much smaller."""
    best, kind = png(picture), "png"
    if len(best) > 12_000:
        file = io.BytesIO()
        picture.save(file, format="JPEG", quality=88)
        if len(file.getvalue()) < 0.6 * len(best):
            best, kind = file.getvalue(), "jpeg"
    return f"data:image/{kind};base64," + base64.b64encode(best).decode()
