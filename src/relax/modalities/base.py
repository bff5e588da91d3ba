"""What a modality is: a kind of input, read, taken apart, put together again and shown."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

import numpy as np
import torch
from torch import Tensor

from relax._support.registry import registry_of
from relax.errors import ArgumentError, InputError
from relax.modalities import fills as fills_
from relax.modalities import masks as masks_
from relax.modalities.batches import Batch
from relax.modalities.fills import Fill
from relax.modalities.prepared import Prepared
from relax.modalities.units import Masks

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class Shown(Protocol):
    """What a modality needs to draw an explanation."""

    @property
    def importance(self) -> np.ndarray:
        """The map."""

    @property
    def uncertainty(self) -> np.ndarray | None:
        """Spread of the score, where the method has one."""

    @property
    def standard_error(self) -> np.ndarray | None:
        """Monte-Carlo error of the importance, where it is known."""

    @property
    def effect(self) -> np.ndarray:
        """Importance less its neutral value."""

    @property
    def n_masks(self) -> int:
        """Masks that were tried."""

    @property
    def reliability(self) -> float:
        """Estimated correlation with the converged map."""

    @property
    def score(self) -> float:
        """Of the unmasked input."""

    @property
    def inputs(self) -> dict[str, np.ndarray]:
        """Model-ready tensors by name."""

    @property
    def presentation(self) -> Any:
        """What a person is shown."""

    @property
    def measures(self) -> dict[str, str]:
        """What each map measures."""

    @property
    def signed(self) -> bool:
        """Whether there is a neutral value."""

    @property
    def neutral(self) -> float:
        """That value."""

    @property
    def labels(self) -> tuple[str, ...] | None:
        """What each unit is called."""

    @property
    def settings(self) -> dict[str, Any]:
        """Provenance."""


@dataclass(frozen=True)
class Scale:
    """Masks of one size, for methods that go from coarse to fine.

    Attributes:
        masks: the recipe.
        block_size: masks in a block, at most.
        weight: of its map among those of other scales.
    """

    masks: Masks
    block_size: int = 128
    weight: float = 1.0


Run = Callable[..., Any]
"""``run(prepared, masks=None, fill=None, watch=())`` makes one Explanation."""


class Modality(ABC):
    """A kind of input that encoders take, with an encoder's own preprocessing.

    Subclass it, say :meth:`prepare` and :meth:`show`, and register it by ``relax.register("modality", NAME, CLASS)``;
    the encoder names it: ``relax.Encoder(model, modality=NAME)``.

    Args:
        transform: the encoder's preprocessing, as given to :class:`relax.Encoder`.
        patch: side of the encoder's patches in elements of the input, where it has patches.

    Attributes:
        name: what users call it.
        method: the method by which its inputs are explained unless another is asked for.
        default_masks: name of the masks, unless others are asked for.
        default_fill: name of the fill, unless another is asked for or the method has its own.
    """

    name: ClassVar[str]
    method: ClassVar[str] = "relax"
    default_masks: ClassVar[str] = "grid"
    default_fill: ClassVar[str] = "mean"

    def __init__(self, transform: Any = None, *, patch: int | None = None) -> None:
        self.transform = transform
        self.patch = patch

    @abstractmethod
    def prepare(self, source: Any) -> Prepared:
        """One input as the encoder sees it.

        Raises:
            InputError: the source cannot be read, or is nothing of this kind.
        """

    @staticmethod
    @abstractmethod
    def show(explanation: Shown) -> Figure:
        """An explanation as a picture that can be read without its maker."""

    def split(self, inputs: Any) -> list[Any] | None:
        """The single inputs where several are given at once; ``None`` for a single one. Here lists and tuples."""
        return list(inputs) if isinstance(inputs, (list, tuple)) else None

    def files_in(self, folder: Path) -> list[Path]:
        """The inputs of this kind directly in a folder, sorted; here none are known."""
        raise InputError(f"{folder}: expected an input, got a folder")

    def files_below(self, folder: Path) -> list[Path]:
        """The inputs of this kind in a folder and in those in it, sorted; here none are known."""
        raise InputError(f"{folder}: expected an input, got a folder")

    def collate(self, inputs: Sequence[Prepared]) -> Batch:
        """Whole inputs as one batch that shares no memory with them; here tensors are stacked.

        Raises:
            InputError: they are of different shapes.
        """
        names = list(inputs[0].inputs)
        if not all(isinstance(one.inputs[name], Tensor) for one in inputs for name in names):
            return [one.inputs[names[0]] for one in inputs]
        for name in names:
            found = {tuple(one.inputs[name].shape) for one in inputs}
            if len(found) > 1:
                raise InputError(f"expected inputs of one shape, got {sorted(found)}")
        stacked = {name: torch.stack([one.inputs[name] for one in inputs]) for name in names}
        return stacked if len(names) > 1 else stacked[names[0]]

    def call(self, model: Callable[..., Any], batch: Batch) -> Any:
        """The model's output for a batch; here named tensors are keyword arguments."""
        return model(**batch) if isinstance(batch, Mapping) else model(batch)

    def masks(self, recipe: Any) -> Masks:
        """Masks from what a user gives: ``None`` for the modality's own, a name, or Masks.

        Raises:
            ArgumentError: no such masks, or not for this kind of input.
        """
        made = masks_.ensure(self.default_masks if recipe is None else recipe, self.patch)
        self._check(f"masks {made.settings().get('name')!r}", made.modalities, f"masks={self.default_masks!r}")
        return made

    def fill(self, fill: Any) -> Fill:
        """A fill from what a user gives: ``None`` for the modality's own, a name, a Fill or another input.

        Raises:
            ArgumentError: no such fill, or not for this kind of input.
        """
        made = fills_.ensure(self.default_fill if fill is None else fill)
        self._check(f"fill {made.settings().get('name')!r}", made.modalities, f"fill={self.default_fill!r}")
        return made

    def _check(self, what: str, modalities: tuple[str, ...] | None, instead: str) -> None:
        if modalities is not None and self.name not in modalities:
            fits = " and ".join(modalities)
            raise ArgumentError(f"the input is of modality {self.name}, and {what} is for {fits}; use {instead}")

    def scales(self, prepared: Prepared, masks: Sequence[Masks] | None = None) -> tuple[Scale, ...]:
        """Masks from coarse to fine for an input, for methods that take several sizes.

        Args:
            prepared: the input.
            masks: kinds that were asked for; ``None`` for the modality's own.
        """
        return tuple(Scale(one) for one in masks or (self.masks(None),))

    @property
    def normalises(self) -> bool:
        """Whether zero is known to be the mean of the data in the encoder's input space."""
        return False

    def to_map(self, attribution: Tensor) -> Tensor:
        """One value an element of the input tensor to one value an element of a map; here they are the same."""
        return attribution

    def map_shape(self, prepared: Prepared) -> tuple[int, ...]:
        """Shape of the maps of an input."""
        return tuple(self.to_map(prepared.tensor).shape)

    def explain(self, run: Run, prepared: Prepared, views: str) -> Any:
        """The explanation of one input; a modality made of others may run several times and put results together.

        Args:
            run: one run over the input.
            prepared: the input.
            views: how several views are masked; of no meaning here.
        """
        return run(prepared)

    def for_inputs(self, inputs: Any) -> Modality:
        """The modality of these inputs: a mapping, or a list of them, is an object of several views."""
        first = inputs[0] if isinstance(inputs, list) and inputs else inputs
        if not isinstance(first, Mapping):
            return self
        views: Modality = registry_of("modality")["views"](self.transform, patch=self.patch)
        return views.for_inputs(inputs)

    @staticmethod
    def at_presentation(values: np.ndarray, source: Mapping[str, Any]) -> np.ndarray:
        """A map in the geometry of what a person is shown; here they are the same.

        Args:
            values: the map.
            source: provenance of the input.
        """
        return np.asarray(values, dtype=np.float32)

    @staticmethod
    def described(prepared: Prepared) -> dict[str, Any]:
        """JSON-able provenance of an input, with a checksum where it has something to be recognised by."""
        return prepared.source

    @staticmethod
    def kept(presentation: Any) -> Any:
        """What of a presentation is kept with an explanation: an array, a string or ``None``; here nothing."""
        return presentation if isinstance(presentation, (str, np.ndarray)) else None

    def settings(self) -> dict[str, Any]:
        """JSON-able description of the preprocessing."""
        if self.transform is None:
            return {}
        described = getattr(self.transform, "settings", None)
        return {"transform": described() if callable(described) else repr(self.transform)}
