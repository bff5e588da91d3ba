"""Fills of tables: what replaces removed columns.

Each asks another question:

* :class:`ColumnMean`: what if this column said nothing special? The row may then be one that cannot exist.
* :class:`ColumnMedian`: the same, where a few large values draw the mean away.
* :class:`ColumnDraw`: what if the removed columns came from another row of the data, all from the same one?
* :class:`ColumnMissing`: what if these columns had not been filled in? For encoders that take missing values.
"""

from __future__ import annotations

import zlib
from abc import abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from relax._support.extras import require
from relax.errors import ArgumentError
from relax.modalities.batches import Batch
from relax.modalities.fills import Fill
from relax.modalities.prepared import Prepared
from relax.modalities.table.masks import layout_of
from relax.modalities.table.rows import Rows
from relax.modalities.units import Block, Units

if TYPE_CHECKING:
    from pandas import DataFrame, Series

KEPT = 0.5
"""Mask value from which a column is kept."""

ROW = "row"
"""Name of the input of encoders of tables."""


class TableFill(Fill):
    """Base class of fills of tables.

    Attributes:
        name: name for users.
        needs_data: whether the fill needs reference data.
    """

    modalities = ("table",)
    name: ClassVar[str]
    needs_data: ClassVar[bool] = True

    def bind(self, prepared: Prepared, by: Any = None, seed: int = 0) -> BoundTableFill:
        data = getattr(by, "reference_data", None)
        if data is None and self.needs_data:
            raise ArgumentError(
                f"fill {self.name!r} needs the data that the encoder was trained on; use "
                "relax.Encoder(model, modality=relax.Table(reference_data=frame)), or fill='missing'"
            )
        row = prepared.inputs[ROW]
        pandas = require("pandas", extra="tables")
        columns = {name: self.replaced(row[name], None if data is None else data[name]) for name in row.columns}
        return BoundTableFill(self, pandas.DataFrame(columns), seed)

    def apply(self, prepared: Prepared, units: Units, block: Block) -> Batch:
        return self.bind(prepared).apply(prepared, units, block)

    def settings(self) -> dict[str, Any]:
        return {"name": self.name}

    @abstractmethod
    def replaced(self, value: Series, data: Series | None) -> Series:
        """The value of a column in the row, followed by what may replace it.

        Args:
            value: the value, one element.
            data: the column of the reference data; ``None`` without.
        """


@dataclass(frozen=True, eq=False)
class BoundTableFill(Fill):
    """A fill bound to one row.

    Attributes:
        fill: the fill.
        stock: the row, followed by rows that removed columns are taken from.
        seed: random seed of draws.
    """

    fill: TableFill
    stock: DataFrame
    seed: int = 0

    def settings(self) -> dict[str, Any]:
        return self.fill.settings()

    def apply(self, prepared: Prepared, units: Units, block: Block) -> Rows:
        layout = layout_of(prepared)
        kept = (units.masks(block) > KEPT).cpu().numpy()[:, layout.element_of_column]
        sources = np.array([self._source(one) for one in kept])
        taken = {
            column: self.stock[column].array.take(np.where(kept[:, place], 0, sources))
            for place, column in enumerate(layout.columns)
        }
        return Rows(require("pandas", extra="tables").DataFrame(taken))

    def _source(self, kept: np.ndarray) -> int:
        """Row of the stock that replaces removed columns; it depends on the seed and the mask alone."""
        if len(self.stock) == 2:
            return 1
        draws = np.random.default_rng([self.seed, zlib.crc32(np.packbits(kept).tobytes()), len(kept)])
        return 1 + int(draws.integers(len(self.stock) - 1))


@dataclass(frozen=True)
class ColumnMean(TableFill):
    """Mean of a column of numbers, rounded for whole numbers; the most frequent value of any other. Default."""

    name = "column-mean"

    def replaced(self, value: Series, data: Series | None) -> Series:
        return _followed_by(value, data, "mean")


@dataclass(frozen=True)
class ColumnMedian(TableFill):
    """Median of a column of numbers, rounded for whole numbers; the most frequent value of any other."""

    name = "column-median"

    def replaced(self, value: Series, data: Series | None) -> Series:
        return _followed_by(value, data, "median")


@dataclass(frozen=True)
class ColumnDraw(TableFill):
    """Values of one row of the data, drawn at random for each mask: the removed columns stay in agreement.

    A mask has the same row whenever it is tried; standard errors are those of the masks, not of the draws.
    """

    name = "column-draw"

    def replaced(self, value: Series, data: Series | None) -> Series:
        return require("pandas", extra="tables").concat([value, data], ignore_index=True)


@dataclass(frozen=True)
class ColumnMissing(TableFill):
    """A missing value, for encoders that take them; needs no data. Whole numbers become floating-point ones."""

    name = "column-missing"
    needs_data = False

    def replaced(self, value: Series, data: Series | None) -> Series:
        return value.reset_index(drop=True).reindex([0, 1])


def _followed_by(value: Series, data: Series | None, statistic: str) -> Series:
    """A value and the centre of its column, of the column's type."""
    pandas = require("pandas", extra="tables")
    types = pandas.api.types
    if data is None or data.isna().all():
        return value.reset_index(drop=True).reindex([0, 1])
    if types.is_numeric_dtype(data.dtype) and not types.is_bool_dtype(data.dtype):
        centre = getattr(data, statistic)()
        centre = round(centre) if types.is_integer_dtype(data.dtype) else centre
    else:
        centre = data.value_counts(sort=False).idxmax()
    replacement = pandas.Series([centre], dtype=data.dtype)
    return pandas.concat([value, replacement], ignore_index=True)
