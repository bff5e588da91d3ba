"""Read series from files: NumPy arrays, and CSV files with a column for each channel."""

from __future__ import annotations

import csv
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from relax._support.warning import warn
from relax.errors import InputError, first_line
from relax.modalities.files import check_file

SUFFIXES = (".npy", ".csv", ".tsv")
"""Suffixes of series."""

TIMES = ("", "t", "time", "timestamp", "date", "datetime", "index", "step", "sample")
"""Names of columns that hold the time, in lower case."""


@dataclass(frozen=True, eq=False)
class Channels:
    """A series that was read from a file.

    Attributes:
        values: ``(T,)`` or ``(C, T)``; ``(N, C, T)`` for several.
        names: name of each channel; ``None`` without.
    """

    values: np.ndarray
    names: tuple[str, ...] | None = None


def read_series(path: Path) -> Channels:
    """The series in a file: an ``.npy`` array, or a CSV or TSV file with a row for each step and a column a channel.

    A first line without numbers names the channels. Columns of times and of words are left out, which is said.

    Args:
        path: the file.

    Raises:
        InputError: the file is missing, is empty or cannot be read, or its lines differ in length.
    """
    suffix = path.suffix.lower()
    check_file(path, SUFFIXES, "a series")
    try:
        if suffix == ".npy":
            return Channels(np.load(path, allow_pickle=False))
        with path.open(encoding="utf-8-sig", newline="") as file:
            lines = [line for line in csv.reader(file, delimiter="\t" if suffix == ".tsv" else ",") if line]
    except (ValueError, OSError, EOFError, csv.Error) as error:
        raise InputError(f"{path}: cannot be read as a series: {first_line(error)}") from None
    return _of_lines(path, lines)


def _of_lines(path: Path, lines: list[list[str]]) -> Channels:
    """Channels of a CSV file."""
    if not lines:
        raise InputError(f"{path}: expected a series, got an empty file")
    named = not any(_is_number(cell) for cell in lines[0])
    names = [cell.strip() for cell in lines[0]] if named else [f"channel {place}" for place in range(len(lines[0]))]
    rows = lines[1:] if named else lines
    for number, row in enumerate(rows, 2 if named else 1):
        if len(row) != len(names):
            raise InputError(f"{path}: line {number}: expected {len(names)} cells, got {len(row)}")
    columns = list(zip(*rows, strict=True)) or [()] * len(names)
    times = [place for place, name in enumerate(names) if named and len(names) > 1 and name.lower() in TIMES]
    words = [place for place, cells in enumerate(columns) if not any(_is_number(cell) for cell in cells)]
    kept = [place for place in range(len(names)) if place not in {*times, *words}]
    if not rows or not kept:
        raise InputError(f"{path}: expected a column of numbers for each channel, got none")
    left_out = [names[place] or "without a name" for place in sorted({*times, *words})]
    if left_out:
        warn(f"{path.name}: {', '.join(left_out)}: not a channel; left out")
    values = [[_number(path, names[place], cell) for cell in columns[place]] for place in kept]
    return Channels(np.array(values, dtype=np.float64), tuple(names[place] for place in kept) if named else None)


def _is_number(cell: str) -> bool:
    try:
        return math.isfinite(float(cell))
    except ValueError:
        return False


def _number(path: Path, name: str, cell: str) -> float:
    """A number, NaN for an empty cell."""
    try:
        return float(cell) if cell.strip() else float("nan")
    except ValueError:
        raise InputError(f"{path}: column {name!r}: expected numbers, got {cell!r}") from None
