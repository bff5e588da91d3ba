"""Figures to files."""

from __future__ import annotations

from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING

from relax._support.atomic import atomic_write
from relax.errors import ArgumentError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FORMATS = ("png", "pdf", "svg", "jpg")


def save_figure(figure: Figure, path: str | PathLike[str]) -> None:
    """Write a figure in the format of the path's ending; the file is there whole or not at all.

    Raises:
        ArgumentError: the ending names no format.
    """
    kind = Path(path).suffix.lower().lstrip(".")
    if kind not in FORMATS:
        raise ArgumentError(
            f"expected a path that ends in {', '.join('.' + name for name in FORMATS)}, got {str(path)!r}"
        )
    with atomic_write(path) as file:
        figure.savefig(file, format=kind)


def literal(text: str) -> str:
    """Words for a figure, shown as they are: no mathematics between dollars, no control characters, no half letters."""
    shown = "".join(letter if letter.isprintable() else " " for letter in text)
    return shown.encode("utf-8", "replace").decode().replace("$", r"\$")
