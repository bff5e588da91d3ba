"""Warnings that point at the user's line."""

from __future__ import annotations

import sys
import warnings

from relax.errors import RelaxWarning


def warn(message: str) -> None:
    """Issue a RelaxWarning at the line that called the library.

    Args:
        message: one line.
    """
    level, frame = 1, sys._getframe()
    while frame.f_back is not None and frame.f_globals.get("__name__", "").partition(".")[0] in ("relax", "contextlib"):
        level, frame = level + 1, frame.f_back
    warnings.warn(message, RelaxWarning, stacklevel=level)
