"""Encoders turn inputs into representations; :func:`load_encoder` returns one by name."""

from __future__ import annotations

from relax.encoders.arguments import Key
from relax.encoders.base import Encoder
from relax.encoders.engines import Work
from relax.encoders.loading import ENCODERS, Family, ensure, load_encoder, named
from relax.encoders.precision import check_precision
from relax.encoders.session import Session
from relax.encoders.setup import Setup
from relax.modalities.image.transforms import ImageTransform
from relax.modalities.prepared import Prepared

__all__ = [
    "ENCODERS",
    "Encoder",
    "Family",
    "ImageTransform",
    "Key",
    "Prepared",
    "Session",
    "Setup",
    "Work",
    "check_precision",
    "ensure",
    "load_encoder",
    "named",
]
