"""Provenance of an explanation: library versions."""

from __future__ import annotations

import platform

import numpy as np
import torch

from relax._support.version import __version__


def versions() -> dict[str, str]:
    """Versions of all libraries that affect a result, by name."""
    return {
        "relax": __version__,
        "torch": torch.__version__,
        "numpy": np.__version__,
        "python": platform.python_version(),
    }
