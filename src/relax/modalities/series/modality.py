"""The series modality."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from relax.errors import ArgumentError, EncoderError, InputError
from relax.modalities.base import Modality
from relax.modalities.batches import Batch
from relax.modalities.cells import Cells
from relax.modalities.fills import Background, Fill
from relax.modalities.kernels import gaussian, positions_of
from relax.modalities.parts import Part, numbered
from relax.modalities.prepared import Prepared
from relax.modalities.regions import Regions
from relax.modalities.series.fills import OtherSeries
from relax.modalities.series.layout import Elements, Layout, finest, layout_of, real
from relax.modalities.series.masks import SeriesMasks
from relax.modalities.series.reading import SUFFIXES, Channels, read_series
from relax.modalities.shown import Shown
from relax.modalities.units import Masks

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SHORTEST = 8
"""Smallest number of samples of a series."""

LENGTH = 1.5
"""Length scale of the smooth kernel, in elements."""


class Series(Modality):
    """Series of measurements: arrays and tensors, ``(T,)`` or ``(C, T)``. The encoder is called with ``(N, C, T)``.

    Segments of time are the units, or channels, or bands of frequency; a map has one value for each. An array is always
    a single series; pass several as a list. The path of an ``.npy`` array, or of a CSV file with a column for each
    channel, is a series, too; ``"many.npy#3"`` is series 3, from 0, of an array ``(N, C, T)``.

    Args:
        transform: a callable on the series as given, such as one that standardises it.
        patch: has no meaning here.
        rate: samples a second, for labels; ``None`` where time has no unit.
    """

    name = "series"
    method = "relax-regression"
    default_masks = "segments"
    default_fill = "series-mean"
    several_fills = ("series-mean",)
    enumerated = 1024
    suffixes: ClassVar[tuple[str, ...]] = SUFFIXES

    short_names: ClassVar[dict[str, str]] = {
        "mean": "series-mean",
        "zero": "series-zero",
        "noise": "series-noise",
        "linear": "interpolation",
    }

    def __init__(self, transform: Any = None, *, patch: int | None = None, rate: float | None = None) -> None:
        super().__init__(transform, patch=patch)
        if rate is not None and not rate > 0:
            raise ArgumentError(f"expected `rate` to be a positive number of samples a second, got {rate!r}")
        self.rate = rate

    def prepare(self, source: Any) -> Prepared:
        if isinstance(source, Prepared):
            return source
        if not isinstance(source, (str, PathLike, Part)):
            return self._prepared(source, None, {"source": "series", "name": "series"})
        found = source if isinstance(source, Part) else self.at(Path(source))
        read = Channels(found.value) if isinstance(found, Part) else read_series(found)
        try:
            return self._prepared(read.values, read.names, {"source": str(found), "name": Path(str(found)).name})
        except InputError as error:
            raise InputError(f"{found}: {error}") from None

    def _prepared(self, source: Any, names: tuple[str, ...] | None, about: dict[str, Any]) -> Prepared:
        series = real(source if self.transform is None else self.transform(source), "a series")
        if series.ndim not in (1, 2) or 0 in series.shape:
            raise InputError(f"expected a series of shape (T,) or (C, T), got {tuple(series.shape)}")
        series = series.reshape(-1, series.shape[-1])
        if series.shape[1] < SHORTEST:
            hint = f"; is it {series.shape[0]} samples of {series.shape[1]} channels?" if len(series) > SHORTEST else ""
            raise InputError(f"expected a series of at least {SHORTEST} samples, got {series.shape[1]}{hint}")
        if bool((series == series[:, :1]).all()):
            raise InputError("the series is constant: nothing in it can be removed")
        names = names if names is not None and len(names) == len(series) else None
        layout = Layout(series.shape[0], series.shape[1], self.rate, names=names)
        about = about if names is None else {**about, "channels": list(names)}
        prepared = Prepared({"series": series}, geometry=layout, source=about)
        return self.divided(prepared, (self.masks(None),))

    def parts_of(self, file: Path) -> Sequence[Part] | None:
        """The series of an array ``(N, C, T)`` in an ``.npy`` file; ``None`` for any other file."""
        if file.suffix.lower() != ".npy" or not file.is_file():
            return None
        values = read_series(file).values
        return [Part(file, row, one) for row, one in enumerate(values)] if values.ndim == 3 else None

    def probe(self, shape: tuple[int, ...] | None = None) -> Tensor | None:
        """A fixed series of this shape, ``(C, T)``; ``None`` without one."""
        if shape is None:
            return None
        return torch.from_numpy(np.random.default_rng(0).standard_normal(shape)).float()

    def divided(self, prepared: Prepared, masks: Sequence[Masks]) -> Prepared:
        """The series with the units of the finest masks as elements of its maps."""
        layout = layout_of(prepared)
        kinds: list[Elements] = [kind.elements(layout) for kind in masks if isinstance(kind, SeriesMasks)]
        if not kinds:
            return prepared
        elements = finest(kinds)
        if len(elements.rows) * max(len(elements.columns), 1) < 2:
            raise InputError(f"expected at least two units of {elements.domain} to remove, got one")
        return replace(
            prepared,
            geometry=replace(layout, elements=elements),
            labels=elements.labels,
            spans=elements.rows,
        )

    def of_cell(self, value: Any, folder: Path) -> Any:
        """The path of a file in a cell of a table, relative to the table's folder; paths and numbers stay."""
        if isinstance(value, str) and value.strip():
            return folder / value
        if value is None or isinstance(value, str):
            raise InputError(f"expected the path of a {self.name} file in this cell, got {str(value)[:40]!r}")
        return value

    def split(self, inputs: Any) -> list[Any] | None:
        """Split a list of series; ``None`` for one series, also as a list of numbers."""
        if isinstance(inputs, (str, PathLike)) and numbered(Path(inputs))[1] is None:
            parts = self.parts_of(Path(inputs))
            return None if parts is None else list(parts)
        numbers = isinstance(inputs, (list, tuple)) and len(inputs) > 0 and np.ndim(inputs[0]) == 0
        return None if numbers and not isinstance(inputs[0], str) else super().split(inputs)

    def cells(self, prepared: Prepared) -> Cells:
        """One cell for each element, with effects that are independent, or shared by neighbours."""
        elements = layout_of(prepared).elements
        shape = elements.shape if elements is not None else (1,)
        places = positions_of(shape)
        kernels = {"independent": torch.eye(len(places), dtype=torch.float64)}
        if elements is not None and elements.domain != "channel":
            kernels["neighbours"] = gaussian(places, LENGTH)
        return Cells(shape, shape, kernels, unit=(1.0,) * len(shape))

    def fill(self, fill: Any) -> Fill:
        """Resolve a fill; see :mod:`relax.modalities.series.fills`. An array or tensor is another series."""
        if fill is None or isinstance(fill, (str, Fill)):
            resolved = super().fill(self.short_names.get(fill, fill) if isinstance(fill, str) else fill)
            if isinstance(resolved, Background):
                name = resolved.settings().get("name")
                raise ArgumentError(f"fill {name!r} does not know {self.name} inputs; use fill={self.default_fill!r}")
            return resolved
        return self.other(fill)

    def other(self, source: Any) -> Fill:
        """A fill that is another input."""
        return OtherSeries(source)

    def collate(self, inputs: Sequence[Prepared]) -> Batch:
        """A tensor ``(N, C, T)``, or a list of ``(C, T)`` if the inputs differ in length."""
        tensors = [item.tensor for item in inputs]
        same = len({tuple(tensor.shape) for tensor in tensors}) == 1
        return torch.stack(tensors) if same else tensors

    def size(self, prepared: Prepared) -> int:
        """Number of samples."""
        return layout_of(prepared).length

    def call(self, model: Any, batch: Batch) -> Any:
        """Call the model; with inputs of different lengths, once for each."""
        if isinstance(batch, Tensor):
            return model(batch)
        place = next(model.parameters(), None) if isinstance(model, nn.Module) else None
        outputs = [model(item[None] if place is None else item[None].to(place)) for item in batch]
        tensors = [output if isinstance(output, Tensor) else torch.as_tensor(output) for output in outputs]
        if len({tuple(tensor.shape) for tensor in tensors}) > 1:
            raise EncoderError(
                "inputs of different lengths need an encoder that returns (N, D); pool its outputs over time"
            )
        return torch.cat(tensors)

    def to_map(self, attribution: Tensor) -> Tensor:
        """Not supported: an attribution of samples says nothing of channels and frequencies.

        Raises:
            ArgumentError: always.
        """
        raise ArgumentError(
            f"this method gives a value for each sample, not for units of a {self.name} input; use a method that "
            "masks, or modality='array'"
        )

    def regions(self, prepared: Prepared, cells: int) -> Regions:
        """The elements of the map: units by name, or patches by their places."""
        shape = self.map_shape(prepared)
        return Regions(shape, prepared.labels if len(shape) == 1 else None)

    def map_shape(self, prepared: Prepared) -> tuple[int, ...]:
        elements = layout_of(prepared).elements
        return elements.shape if elements is not None else (1,)

    def settings(self) -> dict[str, Any]:
        """JSON-serialisable description of the preprocessing."""
        return {**super().settings(), **({} if self.rate is None else {"rate": self.rate})}

    @staticmethod
    def show(explanation: Shown) -> Figure:
        from relax.modalities.series.showing import plot_series

        return plot_series(explanation)

    @staticmethod
    def show_pair(a: Shown, b: Shown, similarity: float, interactions: Any) -> Figure:
        """Both series on one colour scale, and which unit answers which."""
        from relax.modalities.series.pairs import plot_pair

        return plot_pair(a, b, similarity, interactions)

    @classmethod
    def card(cls, prepared: Prepared) -> str:
        """The series as a small picture."""
        from relax.modalities.series.showing import thumbnail

        return thumbnail(prepared)
