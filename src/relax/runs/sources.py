"""Sources of runs: folders, globs, columns of tables, data sets and lists, as items with keys that stay."""

from __future__ import annotations

import glob
import json
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from relax._support.extras import require
from relax.errors import ArgumentError, InputError, first_line
from relax.modalities import Modality
from relax.modalities.files import not_found

JSON_LINES = (".jsonl", ".ndjson")
"""File extensions of JSON lines."""

TABLES = (".parquet", ".csv", ".tsv", *JSON_LINES)
"""File extensions of tables."""

DATASET_FILES = ("state.json", "dataset_dict.json")
"""Files by which a data set that was saved by the ``datasets`` library is recognised."""


class Item(NamedTuple):
    """One input of a source.

    Attributes:
        position: position in the source, from 0.
        key: name of the input, unique in the source: the path below a folder, or the number of the row.
        row: number of the row in a table, data set or list; ``None`` for files of a folder.
        value: the input, or the cell that holds it.
    """

    position: int
    key: str
    row: int | None
    value: Any


@dataclass(frozen=True)
class Files:
    """Files, named by their paths below a folder.

    Attributes:
        name: the folder or glob.
        folder: the folder.
        paths: the files, sorted.
    """

    name: str
    folder: Path
    paths: Sequence[Path]

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, position: int) -> Item:
        path = self.paths[position]
        below = path.relative_to(self.folder) if path.is_relative_to(self.folder) else path
        return Item(position, as_text(below.as_posix()), None, path)


@dataclass(frozen=True)
class Rows:
    """Cells of a column, or the members of a list, named by their numbers.

    Attributes:
        name: the table and its column, or what the list is.
        folder: folder that relative paths start from.
        n_rows: number of rows.
        cell: returns the value of a row.
    """

    name: str
    folder: Path
    n_rows: int
    cell: Callable[[int], Any]

    def __len__(self) -> int:
        return self.n_rows

    def __getitem__(self, position: int) -> Item:
        return Item(position, str(position), position, self.cell(position))


Source = Files | Rows
"""Inputs of a run, by position."""


def source_of(source: Any, modality: Modality, column: str | None = None) -> Source:
    """Open a source.

    Args:
        source: a folder (with its subfolders), a glob, a table (Parquet, CSV, TSV, JSON lines), a data set saved by the
            ``datasets`` library or such a data set in memory, or a list of inputs.
        modality: recognises files in folders.
        column: column of a table or data set; may be omitted if there is only one.

    Raises:
        InputError: there is no such source, or it holds no inputs.
        ArgumentError: the column is missing or unknown.
    """
    if hasattr(source, "column_names") and hasattr(source, "with_format"):
        return _of_dataset(source, "data set", Path(), column)
    if not isinstance(source, (str, os.PathLike)):
        return _of_list(source, modality)
    path = Path(source)
    if path.is_dir() and any((path / name).exists() for name in DATASET_FILES):
        opened: Source = _of_folder_of_dataset(path, column)
    elif column is None and (parts := modality.parts_of(path)) is not None:
        opened = Rows(str(path.resolve()), path.resolve().parent, len(parts), parts.__getitem__)
    elif path.suffix.lower() in TABLES:
        opened = _of_table(path, column)
    else:
        opened = _of_files(path, modality)
        if column is not None:
            raise ArgumentError(f"{source}: expected a table or a data set with column={column!r}, got files")
    if not len(opened):
        raise InputError(f"{source}: expected at least one input, got none")
    return opened


def as_text(name: str) -> str:
    """A file name as text that Parquet can keep: bytes that are no UTF-8 are escaped."""
    return name.encode("utf-8", "backslashreplace").decode()


def _of_list(source: Any, modality: Modality) -> Source:
    inputs = modality.split(source)
    if inputs is None:
        raise ArgumentError(
            f"expected a folder, a glob, a table, a data set or a list of inputs, got {type(source).__name__}"
        )
    if not inputs:
        raise InputError("expected at least one input, got an empty list")
    return Rows("list", Path(), len(inputs), inputs.__getitem__)


def _of_files(path: Path, modality: Modality) -> Source:
    text = str(path.absolute())
    if path.is_dir():
        files = modality.files_below(path)
        if not files:
            raise InputError(f"{path}: no {modality.name} files in this folder or its subfolders")
        return Files(text, path.resolve(), files)
    if path.is_file():
        return Files(text, path.resolve().parent, [path.resolve()])
    parts = path.absolute().parts
    fixed = next((number for number, part in enumerate(parts) if glob.has_magic(part)), None)
    if fixed is None:
        raise not_found(path, "file or folder")
    folder = Path(*parts[:fixed])
    found = sorted(file for file in folder.glob("/".join(parts[fixed:])) if file.is_file())
    if not found:
        raise InputError(f"{path}: no files match this pattern")
    return Files(text, folder, found)


def _of_table(path: Path, column: str | None) -> Source:
    pyarrow = require("pyarrow", extra="run")
    if not path.is_file():
        raise not_found(path)
    try:
        name, cells = _read_column(path, column)
    except (OSError, pyarrow.ArrowException) as error:
        if path.suffix.lower() not in JSON_LINES:
            raise InputError(f"{path}: cannot be read as a table: {first_line(error)}") from error
        name, values = _read_json_lines(path, column)  # such as a column of several types
        return Rows(f"{path.resolve()}:{name}", path.resolve().parent, len(values), values.__getitem__)
    return Rows(f"{path.resolve()}:{name}", path.resolve().parent, len(cells), lambda row: cells[row].as_py())


def _read_json_lines(path: Path, column: str | None) -> tuple[str, list[Any]]:
    """Name and values of a column of JSON lines, whatever their types."""
    rows: list[dict[str, Any]] = []
    try:
        lines = path.read_text(encoding="utf-8-sig").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read as a table: {first_line(error)}") from error
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except ValueError as error:
            raise InputError(f"{path}: line {number} is no JSON: {first_line(error)}") from None
        if not isinstance(row, dict):
            raise InputError(f"{path}: line {number}: expected a JSON object, got {type(row).__name__}")
        rows.append(row)
    name = _chosen(column, list(dict.fromkeys(key for row in rows for key in row)), str(path))
    return name, [row.get(name) for row in rows]


def _read_column(path: Path, column: str | None) -> tuple[str, Any]:
    """Name and values of a column of a table."""
    pa = require("pyarrow", extra="run")
    suffix = path.suffix.lower()
    if suffix == ".parquet":
        file = require("pyarrow.parquet", extra="run").ParquetFile(path)
        name = _chosen(column, file.schema_arrow.names, str(path))
        return name, file.read(columns=[name]).column(name)
    if suffix in (".csv", ".tsv"):
        csv = require("pyarrow.csv", extra="run")
        options = csv.ParseOptions(delimiter="\t" if suffix == ".tsv" else ",", newlines_in_values=True)
        table = csv.read_csv(path, parse_options=options)
    else:
        table = require("pyarrow.json", extra="run").read_json(path)
    name = _chosen(column, table.column_names, str(path))
    cells = table.column(name)
    if pa.types.is_binary(cells.type):  # as pyarrow reads bytes that are no UTF-8
        raise InputError(f"{path}: expected UTF-8 in column {name!r}, got other bytes; save the table as UTF-8")
    return name, cells


def _of_folder_of_dataset(folder: Path, column: str | None) -> Source:
    datasets = require("datasets", extra="run")
    try:
        opened = datasets.load_from_disk(str(folder))
    except (OSError, ValueError, KeyError) as error:
        raise InputError(f"{folder}: cannot be read as a data set: {first_line(error)}") from error
    if isinstance(opened, dict):
        splits = ", ".join(opened)
        raise ArgumentError(f"{folder}: holds the splits {splits}; give one of them: {folder / next(iter(opened))}")
    return _of_dataset(opened, str(folder.resolve()), folder, column)


def _of_dataset(dataset: Any, name: str, folder: Path, column: str | None) -> Source:
    chosen = _chosen(column, dataset.column_names, name)
    if hasattr(dataset.features[chosen], "decode"):  # pictures and sounds stay encoded until a worker reads them
        dataset = dataset.cast_column(chosen, type(dataset.features[chosen])(decode=False))
    cells = dataset.select_columns([chosen])
    return Rows(f"{name}:{chosen}", folder, len(cells), lambda k: cells[k][chosen])


def _chosen(column: str | None, names: Sequence[str], what: str) -> str:
    """The column that was asked for, or the only one."""
    listed = ", ".join(names)
    if not names:
        raise InputError(f"{what}: expected a table with a column, got an empty one")
    if column is None and len(names) != 1:
        raise ArgumentError(f"{what}: expected column= (--column), one of {listed}")
    if column is not None and column not in names:
        raise ArgumentError(f"{what}: has no column {column!r}; expected one of {listed}")
    return names[0] if column is None else column
