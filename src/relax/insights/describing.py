"""What lies in each unit of a picture: lightness, colour, edges and contrast."""

from __future__ import annotations

from typing import Any

import numpy as np
from PIL import Image

FACTOR = 4
"""Pixels along a side of each unit at which a picture is described."""


def described(picture: Image.Image, shape: tuple[int, int]) -> np.ndarray:
    """Features of the units of a picture, ``(rows, columns, 6)``, each smoothed over about a unit."""
    from scipy.ndimage import gaussian_filter, sobel
    from skimage.color import rgb2lab

    rows, columns = shape
    small = picture.resize((columns * FACTOR, rows * FACTOR), Image.Resampling.BILINEAR)
    lab = rgb2lab(np.asarray(small.convert("RGB"))) / 50
    light = lab[..., 0]
    across, down = sobel(light, 1), sobel(light, 0)

    def smooth(values: Any, width: float = 0.7) -> np.ndarray:
        return np.asarray(gaussian_filter(values, FACTOR * width))

    edges = (smooth(np.hypot(across, down)), smooth(np.abs(across) - np.abs(down)))
    contrast = np.sqrt(np.maximum(smooth(light**2, 1.0) - smooth(light, 1.0) ** 2, 0))
    features = np.stack([*(smooth(lab[..., channel]) for channel in range(3)), *edges, contrast], -1)
    return np.asarray(features.reshape(rows, FACTOR, columns, FACTOR, -1).mean((1, 3)))
