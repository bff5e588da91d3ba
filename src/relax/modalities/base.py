"""Base class of modalities: how to read, mask, batch and show one kind of input."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor

from relax._support.registry import registry_of
from relax.errors import ArgumentError, InputError
from relax.modalities import fills as fills_
from relax.modalities import masks as masks_
from relax.modalities.batches import Batch
from relax.modalities.cells import Cells, UnitCells, plain_cells
from relax.modalities.fills import Fill
from relax.modalities.finding import Finding
from relax.modalities.prepared import Prepared
from relax.modalities.presenting import Presenting
from relax.modalities.regions import Regions
from relax.modalities.resolution import Resolution
from relax.modalities.units import Masks, Units

Run = Callable[..., Any]
"""``run(prepared, masks=None, fill=None, watch=())`` returns one Explanation."""


class Modality(Finding, Presenting):
    """A kind of input, with the preprocessing of one encoder.

    To add one, implement :meth:`prepare` and :meth:`show`, register the class with
    ``relax.register("modality", NAME, CLASS)``, and select it by ``relax.Encoder(model, modality=NAME)``.

    Args:
        transform: preprocessing of the encoder, as given to :class:`relax.Encoder`.
        patch: side of the encoder's patches in elements of the input; ``None`` for an encoder without patches.

    Attributes:
        name: name for users.
        method: name of the default method.
        default_masks: name of the default masks.
        default_fill: name of the default fill; a method's own default takes precedence.
        several_fills: names of the default fills of methods that take several; ``None`` for the default fill.
        enumerated: number of masks up to which an adaptive run tries all, once each; 0 for never. A run of at least as
            many masks as there are tries all, too.
        fewest_masks: fewest masks of each kind in an adaptive run of regression; four blocks in all are always enough.
        one_map: whether an explanation is one map; several views have one each.
        differentiable: whether an input can be one tensor of real numbers, which methods of gradients and activations
            need.
    """

    name: ClassVar[str]
    method: ClassVar[str] = "relax"
    default_masks: ClassVar[str] = "grid"
    default_fill: ClassVar[str] = "mean"
    several_fills: ClassVar[tuple[str | None, ...]] = ("mean",)
    enumerated: ClassVar[int] = 0
    fewest_masks: ClassVar[int] = 256
    one_map: ClassVar[bool] = True
    differentiable: ClassVar[bool] = True

    def __init__(self, transform: Any = None, *, patch: int | None = None) -> None:
        self.transform = transform
        self.patch = patch

    @abstractmethod
    def prepare(self, source: Any) -> Prepared:
        """Read and preprocess one input.

        Args:
            source: an input of this modality, in any form it supports, or an already prepared one.

        Raises:
            InputError: the source cannot be read, or is not of this modality.
        """

    def split(self, inputs: Any) -> list[Any] | None:
        """Split several inputs into a list; ``None`` for a single input. By default splits lists and tuples."""
        return list(inputs) if isinstance(inputs, (list, tuple)) else None

    def collate(self, inputs: Sequence[Prepared]) -> Batch:
        """Copy unmasked inputs into one batch; by default stacks tensors.

        Args:
            inputs: prepared inputs, at least one.

        Returns:
            A tensor ``(N, ...)``, a mapping of such tensors if inputs have several, or a list of other objects.

        Raises:
            InputError: the inputs have different shapes.
        """
        names = list(inputs[0].inputs)
        if not all(isinstance(item.inputs[name], Tensor) for item in inputs for name in names):
            return [item.inputs[names[0]] for item in inputs]
        for name in names:
            shapes = {tuple(item.inputs[name].shape) for item in inputs}
            if len(shapes) > 1:
                raise InputError(f"expected inputs of one shape, got {sorted(shapes)}")
        stacked = {name: torch.stack([item.inputs[name] for item in inputs]) for name in names}
        return stacked if len(names) > 1 else stacked[names[0]]

    def trimmed(self, batch: Batch) -> Batch:
        """Remove what a slice of a collated batch does not need, such as padding; by default nothing."""
        return batch

    def size(self, prepared: Prepared) -> int:
        """Size of an input, by which inputs are sorted into batches; by default all are of one size."""
        return 0

    def attended(self, batch: Batch) -> Tensor | None:
        """``(N, T)`` mask of the positions of a batch that are not padding; ``None`` (default) without padding."""
        return None

    def windows(self, batch: Batch) -> Any:
        """The batch in windows that the model takes, to be joined afterwards; ``None`` (default) if it takes all.

        What is returned has a ``batch`` and a method ``joined`` from representations of windows to those of inputs.
        """
        return None

    def in_windows(self) -> Modality:
        """This modality for an encoder that reads long inputs in windows.

        Raises:
            ArgumentError: the inputs have no windows.
        """
        raise ArgumentError(f"long='windows' is for encoders of texts with a tokenizer, got one of {self.name} inputs")

    def adapted(self, model: Any) -> Any:
        """The model as a callable from a batch to representations; by default itself."""
        return model

    def call(self, model: Callable[..., Any], batch: Batch) -> Any:
        """Call the model on a batch; by default passes named tensors as keyword arguments."""
        return model(**batch) if isinstance(batch, Mapping) else model(batch)

    def masks(self, recipe: Any) -> Masks:
        """Resolve masks.

        Args:
            recipe: a name, Masks, or ``None`` for the modality's default.

        Raises:
            ArgumentError: there are no such masks, or they do not support this modality.
        """
        resolved = masks_.ensure(self.default_masks if recipe is None else recipe, self.patch)
        self._check(f"masks {resolved.settings().get('name')!r}", resolved.modalities, f"masks={self.default_masks!r}")
        return resolved

    def kinds(self, prepared: Prepared) -> tuple[Masks, ...]:
        """Default masks of methods that take several kinds; by default the default masks alone."""
        return (self.masks(None),)

    def divided(self, prepared: Prepared, masks: Sequence[Masks]) -> Prepared:
        """The input with the elements of its maps chosen for these masks; by default unchanged.

        Args:
            prepared: the input.
            masks: kinds of masks that a method applies to it.
        """
        return prepared

    def fill(self, fill: Any) -> Fill:
        """Resolve a fill.

        Args:
            fill: a name, a colour, a Fill, another input, or ``None`` for the modality's default.

        Raises:
            ArgumentError: there is no such fill, or it does not support this modality.
        """
        resolved = fills_.ensure(self.default_fill if fill is None else fill)
        self._check(f"fill {resolved.settings().get('name')!r}", resolved.modalities, f"fill={self.default_fill!r}")
        return resolved

    def _check(self, what: str, modalities: tuple[str, ...] | None, instead: str) -> None:
        if modalities is not None and self.name not in modalities:
            supported = " and ".join(modalities)
            raise ArgumentError(f"the input is of modality {self.name}, but {what} supports {supported}; use {instead}")

    def cells(self, prepared: Prepared) -> Cells | None:
        """Cells at which a regression resolves the maps of an input, with what is assumed about their effects.

        Args:
            prepared: the input.

        Returns:
            The cells; ``None`` (default) for plain cells.
        """
        return None

    def regressed(self, prepared: Prepared, units: Units, fixed: bool) -> Resolution:
        """Cells on which the scores of masks are regressed.

        Args:
            prepared: the input.
            units: units of the masks, on the CPU.
            fixed: whether these are the only ones; where they do not move, they are cells themselves.
        """
        cells = self.cells(prepared)
        if fixed and all(n == 1 for n in units.placements):
            return UnitCells(units, cells)
        return cells or plain_cells(units.shape)

    @property
    def normalises(self) -> bool:
        """Whether the preprocessing normalises, so that zero is the mean of the data in the encoder's input space."""
        return False

    def to_map(self, attribution: Tensor) -> Tensor:
        """Reduce an attribution of the input tensor's shape to a map; by default the identity."""
        return attribution

    def regions(self, prepared: Prepared, cells: int) -> Regions:
        """Regions of the maps of an input, for the interactions of two inputs.

        Args:
            prepared: the input.
            cells: number of regions along each dimension of a map of several dimensions; others have a region for
                each element.
        """
        shape = self.map_shape(prepared)
        return Regions(shape if len(shape) == 1 else (cells,) * len(shape), prepared.labels)

    def map_shape(self, prepared: Prepared) -> tuple[int, ...]:
        """Shape of the maps of an input, ``(H, W)`` for images."""
        return tuple(self.to_map(prepared.tensor).shape)

    def explain(self, run: Run, prepared: Prepared, views: str) -> Any:
        """Explain one input; a modality of several views may combine several runs.

        Args:
            run: explains a prepared input in one run.
            prepared: the input.
            views: how to mask several views; ignored by modalities of one view.
        """
        return run(prepared)

    def for_inputs(self, inputs: Any) -> Modality:
        """Modality for these inputs: a mapping, or a list of mappings, is an object of several views."""
        first = inputs[0] if isinstance(inputs, list) and inputs else inputs
        if not isinstance(first, Mapping):
            return self
        views: Modality = registry_of("modality")["views"](self.transform, patch=self.patch)
        return views.for_inputs(inputs)

    @staticmethod
    def described(prepared: Prepared) -> dict[str, Any]:
        """JSON-serialisable provenance of an input, with a checksum where possible."""
        return prepared.source

    def settings(self) -> dict[str, Any]:
        """JSON-serialisable description of the preprocessing."""
        if self.transform is None:
            return {}
        settings = getattr(self.transform, "settings", None)
        return {"transform": settings() if callable(settings) else repr(self.transform)}
