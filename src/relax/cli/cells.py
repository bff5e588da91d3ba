"""Texts in the cells of a table."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from relax.errors import ArgumentError, InputError


def texts_in(files: Sequence[Path], column: str) -> list[tuple[str, str]]:
    """The texts of a column in rows of tables, each with a name for its results, such as ``clients-3``.

    Args:
        files: rows of tables, such as ``clients.csv#3``.
        column: name of the column.

    Raises:
        ArgumentError: a file has no row, or the table no such column.
        InputError: there is no such row, or its cell holds no text.
    """
    from relax.modalities import MODALITIES
    from relax.modalities.parts import numbered
    from relax.runs.sources import source_of

    modality, texts = MODALITIES["text"](), []
    for file in files:
        table, row = numbered(file)
        cells = source_of(table, modality, column)
        if row is None:
            raise ArgumentError(f"{table}: --column needs --row N; relax run {table} --column {column} takes all rows")
        if not 0 <= row < len(cells):
            raise InputError(f"{table}: expected a row from 0 to {len(cells) - 1}, got {row}")
        value = cells[row].value
        if not isinstance(value, str) or not value.strip():
            raise InputError(f"{table}#{row}: expected a text in column {column!r}, got {value!r}")
        texts.append((f"{table.stem}-{row}", value))
    return texts


def refuse_tables(files: Sequence[Path]) -> None:
    """Refuse tables where text files are expected.

    Raises:
        InputError: one of the files is a table.
    """
    from relax.modalities.parts import numbered
    from relax.runs.sources import TABLES

    for file in files:
        table = numbered(file)[0]
        if table.suffix.lower() in TABLES and table.is_file():
            raise InputError(
                f"{table}: expected a text, got a table; relax explain {table} --row N --column NAME explains a cell, "
                f"relax index {table} --column NAME makes its rows passages"
            )
