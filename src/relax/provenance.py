"""What an explanation remembers about how it was made."""

from __future__ import annotations

import platform

import numpy as np
import torch
from PIL import Image

from relax.version import __version__

THUMBNAIL = 1024
"""Longest side in pixels of the picture that is kept with an explanation."""


def versions() -> dict[str, str]:
    """Versions that can change a result."""
    return {
        "relax": __version__,
        "torch": torch.__version__,
        "numpy": np.__version__,
        "python": platform.python_version(),
    }


def thumbnail(picture: Image.Image | None) -> np.ndarray | None:
    """``(h, w, 3)`` uint8, at most ``THUMBNAIL`` pixels on the longest side; ``None`` stays ``None``."""
    if picture is None:
        return None
    small = picture.copy()
    small.thumbnail((THUMBNAIL, THUMBNAIL), Image.Resampling.LANCZOS)
    return np.asarray(small)
