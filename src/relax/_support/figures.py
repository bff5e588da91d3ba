"""Writing figures to files."""

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
    """Write a figure atomically, in the format of the file extension.

    Args:
        figure: the figure.
        path: destination, ending in ``.png``, ``.pdf``, ``.svg`` or ``.jpg``.

    Raises:
        ArgumentError: the file extension is not supported, or the file cannot be written.
    """
    extension = Path(path).suffix.lower().lstrip(".")
    if extension not in FORMATS:
        raise ArgumentError(
            f"expected a path that ends in {', '.join('.' + name for name in FORMATS)}, got {str(path)!r}"
        )
    with atomic_write(path) as file:
        figure.savefig(file, format=extension)


def lay_out(figure: Figure) -> None:
    """Lay out a figure that is complete, once: saving it does not do so again."""
    figure.draw_without_rendering()
    figure.set_layout_engine("none")


def literal(text: str) -> str:
    """Escape text for matplotlib: no math mode, no control characters, no unpaired surrogates."""
    printable = "".join(character if character.isprintable() else " " for character in text)
    return printable.encode("utf-8", "replace").decode().replace("$", r"\$")


def unescaped(text: str) -> str:
    """Text escaped by :func:`literal`, as a page shows it."""
    return text.replace(r"\$", "$")
