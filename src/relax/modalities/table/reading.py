"""Read tables from files; each row is an input."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

from relax._support.extras import require
from relax.errors import InputError, first_line
from relax.modalities.files import check_file
from relax.modalities.parts import Part
from relax.modalities.table.rows import check_unique

if TYPE_CHECKING:
    from pandas import DataFrame

SUFFIXES = (".csv", ".tsv", ".parquet", ".jsonl", ".ndjson")
"""Suffixes of tables."""


class TableRows(Sequence[Part]):
    """The rows of a file.

    Args:
        path: the file.
        frame: its rows.
    """

    def __init__(self, path: Path, frame: DataFrame) -> None:
        self.path, self.frame = path, frame

    def __len__(self) -> int:
        return len(self.frame)

    @overload
    def __getitem__(self, row: int) -> Part: ...

    @overload
    def __getitem__(self, row: slice) -> list[Part]: ...

    def __getitem__(self, row: int | slice) -> Part | list[Part]:
        if isinstance(row, slice):
            return [self[number] for number in range(*row.indices(len(self)))]
        if not 0 <= row < len(self):
            raise IndexError(row)
        return Part(self.path, row, self.frame.iloc[row : row + 1])


def read_table(path: Path) -> DataFrame:
    """The rows of a CSV, TSV, Parquet or JSON lines file; a first column without a name is the index.

    Args:
        path: the file.

    Raises:
        InputError: the file is missing, cannot be read, has no rows, or two of its columns have one name.
        MissingExtraError: pandas is not installed.
    """
    pandas = require("pandas", extra="tables")
    suffix = path.suffix.lower()
    check_file(path, SUFFIXES, "a table")
    try:
        frame = _read(pandas, path, suffix)
    except (ValueError, OSError) as error:  # the errors of pandas and pyarrow are ValueErrors
        raise InputError(f"{path}: cannot be read as a table: {first_line(error)}") from None
    if not frame.size:
        raise InputError(f"{path}: expected a table with at least one row, got one of shape {frame.shape}")
    check_unique(list(frame.columns), InputError)
    return frame


def _read(pandas: Any, path: Path, suffix: str) -> DataFrame:
    if suffix == ".parquet":
        require("pyarrow", extra="run")
        return pandas.read_parquet(path)
    if suffix in (".csv", ".tsv"):
        frame = pandas.read_csv(path, sep="\t" if suffix == ".tsv" else ",", encoding="utf-8-sig")
        unnamed = len(frame.columns) > 1 and str(frame.columns[0]).startswith("Unnamed: ")
        return frame.iloc[:, 1:] if unnamed else frame
    return pandas.read_json(path, lines=True)
