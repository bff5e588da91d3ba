"""Rows of a table: read from what users have, and batched as one DataFrame."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, overload

from relax._support.extras import require
from relax.errors import ArgumentError, InputError, first_line

if TYPE_CHECKING:
    from pandas import DataFrame

SHOWN = 3
"""Maximum number of columns that a message names."""


class Rows(Sequence[Any]):
    """A batch of rows: a DataFrame that is sliced by position.

    Args:
        frame: the rows.

    Attributes:
        described: what a batch is called in messages.
    """

    described = "rows of a table"

    def __init__(self, frame: DataFrame) -> None:
        self.frame = frame

    def __len__(self) -> int:
        return len(self.frame)

    @overload
    def __getitem__(self, rows: int) -> Rows: ...

    @overload
    def __getitem__(self, rows: slice) -> Rows: ...

    def __getitem__(self, rows: int | slice) -> Rows:
        if isinstance(rows, slice):
            return Rows(self.frame.iloc[rows])
        if not 0 <= rows < len(self.frame):
            raise IndexError(rows)
        return Rows(self.frame.iloc[rows : rows + 1])


def frame_of(batch: Any) -> DataFrame:
    """A batch as one DataFrame, with an index from 0.

    Args:
        batch: Rows, or a sequence of them.
    """
    pandas = require("pandas", extra="tables")
    frame = batch.frame if isinstance(batch, Rows) else pandas.concat([rows.frame for rows in batch])
    return frame.reset_index(drop=True)


def read_row(source: Any, data: DataFrame | None) -> tuple[DataFrame, str]:
    """Read one row, with the columns and types of the reference data.

    Args:
        source: a Series, a mapping from columns to values, or a DataFrame of one row.
        data: the reference data; ``None`` without.

    Returns:
        A DataFrame of one row with the index 0, and the name of the row.

    Raises:
        InputError: it is no row, its columns are not those of the data, or its values do not fit their types.
    """
    pandas = require("pandas", extra="tables")
    if isinstance(source, pandas.DataFrame):
        frame = source
    elif isinstance(source, pandas.Series):
        frame = source.to_frame().T
    elif isinstance(source, Mapping):
        frame = pandas.DataFrame([dict(source)], columns=list(source))
    else:
        raise InputError(
            f"expected a row as a Series, a mapping or a DataFrame of one row, got {type(source).__name__}"
        )
    if len(frame) != 1 or not len(frame.columns):
        raise InputError(f"expected one row with at least one column, got a table of shape {frame.shape}")
    check_unique(list(frame.columns), InputError)
    name = f"row {frame.index[0]}" if not isinstance(source, Mapping) else "row"
    if data is None:
        return (frame if isinstance(source, pandas.DataFrame) else frame.infer_objects()).reset_index(drop=True), name
    _check_columns(list(frame.columns), list(data.columns))
    return _typed(frame[list(data.columns)].reset_index(drop=True), data), name


def check_unique(columns: list[Any], error: type[InputError] | type[ArgumentError]) -> None:
    """Check that no two columns have one name.

    Raises:
        InputError or ArgumentError: two have.
    """
    twice = [column for column in columns if columns.count(column) > 1]
    if twice:
        raise error(f"expected columns of distinct names, got {twice[0]!r} {columns.count(twice[0])} times")


def _check_columns(given: list[Any], expected: list[Any]) -> None:
    missing = [column for column in expected if column not in given]
    if missing:
        raise InputError(f"the row has no column {names_of(missing)}; the reference data has: {names_of(expected)}")
    extra = [column for column in given if column not in expected]
    if extra:
        raise InputError(f"the row has the column {names_of(extra)}, which the reference data has not; drop it")


def names_of(columns: list[Any]) -> str:
    """Columns in a message, a few of them by name."""
    more = f" and {len(columns) - SHOWN} more" if len(columns) > SHOWN else ""
    return ", ".join(repr(column) for column in columns[:SHOWN]) + more


def _typed(frame: DataFrame, data: DataFrame) -> DataFrame:
    """The row with the types of the data; a value that a type cannot hold is an error, not a missing value."""
    columns = {}
    for column, kind in data.dtypes.items():
        values = frame[column]
        try:
            typed = values.astype(kind)
        except (TypeError, ValueError) as error:
            raise InputError(
                f"column {column!r}: expected {kind}, got {values.iloc[0]!r}: {first_line(error)}"
            ) from None
        if typed.isna().iloc[0] and not values.isna().iloc[0]:
            raise InputError(f"column {column!r}: {values.iloc[0]!r} is not one of its categories in the data")
        columns[column] = typed
    return require("pandas", extra="tables").DataFrame(columns)
