"""The table modality."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from html import escape
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from relax._support.extras import require
from relax._support.warning import warn
from relax.errors import ArgumentError, InputError
from relax.modalities.base import Modality
from relax.modalities.batches import Batch
from relax.modalities.cells import Cells
from relax.modalities.fills import Background, Fill
from relax.modalities.parts import Part, numbered
from relax.modalities.prepared import Prepared
from relax.modalities.shown import Shown
from relax.modalities.table.fills import ROW
from relax.modalities.table.masks import FeatureMasks, Layout, layout_of
from relax.modalities.table.reading import SUFFIXES, TableRows, read_table
from relax.modalities.table.rows import Rows, check_unique, frame_of, names_of, read_row
from relax.modalities.units import Masks

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from pandas import DataFrame

FILLS = {name: f"column-{name}" for name in ("mean", "median", "draw", "missing")}
"""Short names of fills."""


class Table(Modality):
    """Rows of a table: a Series, a mapping from columns to values, or a DataFrame; a DataFrame of several is several.

    So is the path of a CSV, TSV, Parquet or JSON lines file; ``"rows.csv#3"`` is its row 3, from 0. Columns of a file
    that the reference data has not are left out, which is said.

    The encoder is called with a DataFrame of the same columns and types, and returns ``(N, D)``: a callable, or a
    transformer or pipeline of scikit-learn. Columns are the units, or groups of them
    (:class:`~relax.modalities.table.masks.FeatureMasks`).

    Args:
        transform: a callable on the row as given, such as one that adds columns; ``None`` for no change.
        patch: has no meaning here.
        reference_data: the data that the encoder was trained on, or a part of it: the fills mean, median and draw come
            from it, and rows get its column order and types.

    Raises:
        ArgumentError: the reference data is no DataFrame, is empty, or two of its columns have one name.
    """

    name = "table"
    method = "relax-regression"
    default_masks = "features"
    default_fill = "column-mean"
    several_fills = ("column-mean",)
    enumerated = 4096
    suffixes = SUFFIXES

    def __init__(
        self, transform: Any = None, *, patch: int | None = None, reference_data: DataFrame | None = None
    ) -> None:
        super().__init__(transform, patch=patch)
        if reference_data is not None:
            pandas = require("pandas", extra="tables")
            if not isinstance(reference_data, pandas.DataFrame) or not reference_data.size:
                got = getattr(reference_data, "shape", type(reference_data).__name__)
                raise ArgumentError(f"expected `reference_data` to be a DataFrame with at least one row, got {got}")
            check_unique(list(reference_data.columns), ArgumentError)
        self.reference_data = reference_data

    def prepare(self, source: Any) -> Prepared:
        if isinstance(source, Prepared):
            return source
        if isinstance(source, (str, PathLike)):
            source = self.at(Path(source))
        about = {"source": "row"}
        if isinstance(source, Part):
            about = {"source": str(source), "name": f"{source.path.name}#{source.row}"}
            source = self._known(source)
        frame, name = read_row(source if self.transform is None else self.transform(source), self.reference_data)
        columns = tuple(frame.columns)
        text = "\n".join(f"{column}: {_written(frame[column].iloc[0])}" for column in columns)
        prepared = Prepared({ROW: frame}, text, Layout(columns, ()), source={"name": name, **about})
        return self.divided(prepared, (FeatureMasks(),))

    def divided(self, prepared: Prepared, masks: Sequence[Masks]) -> Prepared:
        """The row with the groups of its only masks, or its columns, as elements of its maps."""
        kinds = {kind.groups: kind for kind in masks if isinstance(kind, FeatureMasks)}
        columns = layout_of(prepared).columns
        elements = (next(iter(kinds.values())) if len(kinds) == 1 else FeatureMasks()).parts(columns)
        row = prepared.inputs[ROW].iloc[0]
        values = [", ".join(_written(row.iloc[place]) for place in places) for _, places in elements]
        joined = all(places[-1] - places[0] == len(places) - 1 for _, places in elements)
        return replace(
            prepared,
            geometry=Layout(columns, elements),
            labels=tuple(f"{name} = {value}" for (name, _), value in zip(elements, values, strict=True)),
            spans=tuple((places[0], places[-1] + 1) for _, places in elements) if joined else None,
        )

    def _known(self, part: Part) -> DataFrame:
        """A row of a file without the columns that the reference data has not."""
        frame: DataFrame = part.value
        if self.reference_data is None or self.transform is not None:
            return frame
        extra = [column for column in frame.columns if column not in self.reference_data.columns]
        if extra:
            warn(f"{part.path.name}: the encoder's data have no column {names_of(extra)}; left out")
        return frame.drop(columns=extra)

    def parts_of(self, file: Path) -> TableRows:
        """The rows of a file."""
        return TableRows(file, read_table(file))

    def probe(self, shape: tuple[int, ...] | None = None) -> DataFrame | None:
        """The first row of the reference data; ``None`` without."""
        return None if self.reference_data is None else self.reference_data.iloc[:1]

    def for_inputs(self, inputs: Any) -> Modality:
        """This modality: a mapping is a row, not an object of several views."""
        return self

    def split(self, inputs: Any) -> list[Any] | None:
        """Split a list of rows, or a DataFrame; ``None`` for one row, also as a DataFrame.

        Raises:
            InputError: a DataFrame has no rows.
        """
        if isinstance(inputs, (str, PathLike)) and numbered(Path(inputs))[1] is None:
            parts = self.parts_of(Path(inputs))
            return list(parts) if len(parts) > 1 else None
        if not hasattr(inputs, "iloc"):
            return super().split(inputs)
        if inputs.ndim == 1 or len(inputs) == 1:
            return None
        if not len(inputs):
            raise InputError("expected at least one row, got an empty table")
        return [inputs.iloc[number : number + 1] for number in range(len(inputs))]

    def masks(self, recipe: Any) -> Masks:
        """Resolve masks; ``"columns"`` are the columns, and a mapping from names to columns is groups of them."""
        if isinstance(recipe, dict):
            return FeatureMasks(recipe)
        return super().masks("features" if isinstance(recipe, str) and recipe == "columns" else recipe)

    def fill(self, fill: Any) -> Fill:
        """Resolve a fill; see :mod:`relax.modalities.table.fills`."""
        name = FILLS.get(fill, fill) if isinstance(fill, str) else fill
        if name is not None and not isinstance(name, (str, Fill)):
            raise ArgumentError(f"expected `fill` to be one of {', '.join(FILLS)}, got a {type(fill).__name__}")
        resolved = super().fill(name)
        if isinstance(resolved, Background):
            raise ArgumentError(f"fill {fill!r} does not know rows of tables; use one of {', '.join(FILLS)}")
        return resolved

    def cells(self, prepared: Prepared) -> Cells:
        """One cell for each column or group, with independent effects."""
        n = len(layout_of(prepared).elements)
        return Cells((n,), (n,), {"independent": torch.eye(n, dtype=torch.float64)}, unit=(1.0,))

    def collate(self, inputs: Sequence[Prepared]) -> Batch:
        """One DataFrame of all rows."""
        return Rows(require("pandas", extra="tables").concat([item.inputs[ROW] for item in inputs], ignore_index=True))

    def adapted(self, model: Any) -> Any:
        """A transformer or pipeline of scikit-learn as a callable."""
        transformer = not callable(model) and callable(getattr(model, "transform", None))
        return Transformer(model) if transformer else model

    def call(self, model: Any, batch: Batch) -> Any:
        """Call the model with a DataFrame; a DataFrame or a sparse matrix that it returns becomes an array."""
        output = model(frame_of(batch))
        if hasattr(output, "toarray"):
            output = output.toarray()
        return np.asarray(output, dtype=np.float64) if hasattr(output, "to_numpy") else output

    def map_shape(self, prepared: Prepared) -> tuple[int, ...]:
        return (len(layout_of(prepared).elements),)

    def settings(self) -> dict[str, Any]:
        """JSON-serialisable description of the preprocessing and of the reference data."""
        data = self.reference_data
        about = None if data is None else {str(column): str(kind) for column, kind in data.dtypes.items()}
        rows = None if data is None else len(data)
        return {**super().settings(), "reference_rows": rows, "columns": about}

    @staticmethod
    def show(explanation: Shown) -> Figure:
        from relax.modalities.table.showing import plot_table

        return plot_table(explanation)

    @staticmethod
    def show_pair(a: Shown, b: Shown, similarity: float, interactions: Any) -> Figure:
        """The columns of both rows on one scale, and which column answers which."""
        from relax.modalities.table.pairs import plot_pair

        return plot_pair(a, b, similarity, interactions)

    @classmethod
    def card(cls, prepared: Prepared) -> str:
        """The row as a table of two lines."""
        row = prepared.inputs[ROW].iloc[0]
        cells = [(escape(str(column)), escape(_written(value))) for column, value in row.items()]
        head = "".join(f"<th>{column}</th>" for column, _ in cells)
        body = "".join(f"<td>{value}</td>" for _, value in cells)
        frame = '<div style="overflow-x:auto"><table border="1" cellpadding="4" style="border-collapse:collapse">'
        return f"{frame}<tr>{head}</tr><tr>{body}</tr></table></div>"


class Transformer:
    """A transformer or pipeline of scikit-learn as a callable on a DataFrame.

    Args:
        model: has a method ``transform``.
    """

    def __init__(self, model: Any) -> None:
        self.model = model
        self.__name__ = type(model).__name__

    def __call__(self, frame: DataFrame) -> Any:
        """Transform the rows of a DataFrame, ``(N, D)``."""
        return self.model.transform(frame)


def _written(value: Any) -> str:
    """A value as people write it."""
    return f"{value:.6g}" if isinstance(value, (float, np.floating)) else str(value)
