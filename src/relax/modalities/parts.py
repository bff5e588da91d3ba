"""Inputs that share a file: rows of a table, series of an array."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from relax.errors import InputError
from relax.modalities.files import not_found


@dataclass(frozen=True)
class Part:
    """One of several inputs in a file.

    Attributes:
        path: the file.
        row: number of the input in it, from 0.
        value: what it holds there.
    """

    path: Path
    row: int
    value: Any = field(repr=False, compare=False)

    def __str__(self) -> str:
        return f"{self.path}#{self.row}"


def numbered(name: Path) -> tuple[Path, int | None]:
    """Split ``table.csv#3`` into a path and the number of a row, ``None`` without; a file of that very name wins.

    Args:
        name: a path, perhaps with the number of a row.
    """
    stem, mark, row = name.name.rpartition("#")
    if not mark or not stem or not row.isdecimal() or name.exists():
        return name, None
    return name.with_name(stem), int(row)


def chosen(parts: Any, path: Path, row: int, kind: str) -> Any:
    """The input of a number.

    Args:
        parts: the inputs of a file; ``None`` for a file that is one input.
        path: the file.
        row: number of the input, from 0.
        kind: name of the modality, for messages.

    Raises:
        InputError: there is no such input.
    """
    if parts is None:
        if not path.is_file():
            raise not_found(path)
        raise InputError(
            f"{path}#{row}: for an encoder of {kind} inputs this file is one; leave out #{row}, or use another encoder"
        )
    if row >= len(parts):
        raise InputError(f"{path}#{row}: there is no such row; the file has {len(parts)}, from 0 to {len(parts) - 1}")
    return parts[row]
