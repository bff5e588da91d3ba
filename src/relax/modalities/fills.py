"""Fills: what stands in for the units of an input that are removed; the field also calls a fill a baseline.

A fill is made ready for one input (:meth:`Fill.bind`) and then gives, for a block of masks, the batch that the encoder
is called with (:meth:`Fill.apply`). Most fills are a :class:`Background` of the input's own shape, which a mask blends
in: ``x̃ = b + (x − b) ⊙ M``.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Protocol

import torch
from PIL import ImageColor
from torch import Tensor

from relax._support.registry import Registry
from relax.errors import ArgumentError, UnknownNameError
from relax.modalities.batches import Batch, shapes
from relax.modalities.prepared import Prepared
from relax.modalities.units import Block, Masks, Units


class Prepares(Protocol):
    """What preprocesses inputs: a modality, or an encoder."""

    @property
    def transform(self) -> Any:
        """From a presentation to a tensor; ``None`` if there is none."""

    def prepare(self, source: Any) -> Prepared:
        """One input as the encoder sees it."""


class Runs(Protocol):
    """What encodes batches: a session of an encoder."""

    def run(self, n: int, key: tuple[Any, ...], step: Callable[[slice], Tensor]) -> Tensor:
        """``n`` rows of work in batches of the best size, which is remembered under ``key``."""

    def __call__(self, batch: Batch) -> Tensor:
        """One forward, ``(N, D)``."""


class Fill(ABC):
    """What stands in for removed units; frozen, and described by its settings.

    Attributes:
        modalities: names of those that the fill is for; ``None`` for any.
    """

    modalities: ClassVar[tuple[str, ...] | None] = None

    def bind(self, prepared: Prepared, by: Prepares | None = None, seed: int = 0) -> Fill:
        """The fill made ready for one input.

        Args:
            prepared: the input, on the device where it is encoded.
            by: the modality or encoder that preprocesses inputs; needed by fills that are inputs themselves.
            seed: of what is random.
        """
        return self

    @abstractmethod
    def apply(self, prepared: Prepared, units: Units, block: Block) -> Batch:
        """The batch that the encoder is called with: the input under each mask of a block, sharing no memory with it.

        Args:
            prepared: the input that the fill was bound to.
            units: laid over that input.
            block: ``B`` masks, on the input's device.
        """

    @abstractmethod
    def settings(self) -> dict[str, Any]:
        """JSON-able description; ``relax.fills.create(**settings)`` makes the same fill again."""

    def encode(self, session: Runs, prepared: Prepared, units: Units, block: Block) -> Tensor:
        """``(B, D)`` representations of the input under each mask of a block."""
        key = shapes({name: value[None] for name, value in prepared.inputs.items()}) if _tensors(prepared) else ()
        return session.run(len(block), key, lambda rows: session(self.apply(prepared, units, block[rows])))

    def check(self, masks: Masks, encoder: Any) -> None:  # noqa: B027
        """Raise unless the fill goes with these masks and this encoder; here it goes with any."""

    @property
    def reproducible(self) -> bool:
        """Whether the settings say everything: the fill is registered, and holds no input of the user's own."""
        return self.settings().get("name") in FILLS


class Background(Fill):
    """A fill that is a background of the input's shape, for encoders that are called with one tensor."""

    @abstractmethod
    def background(self, tensor: Tensor, by: Any, seed: int) -> Tensor:
        """A background of the shape of the model-ready input ``tensor``, on its device.

        Args:
            tensor: the input.
            by: the modality or encoder that preprocesses inputs.
            seed: of what is random.
        """

    def bind(self, prepared: Prepared, by: Prepares | None = None, seed: int = 0) -> Blend:
        return Blend(self, self.background(prepared.tensor, by, seed))

    def apply(self, prepared: Prepared, units: Units, block: Block) -> Batch:
        return self.bind(prepared).apply(prepared, units, block)


@dataclass(frozen=True, eq=False)
class Blend(Fill):
    """A background made for one input; a mask blends the two.

    Args:
        fill: that made it.
        background: of the input's shape.
    """

    fill: Fill
    background: Tensor

    def apply(self, prepared: Prepared, units: Units, block: Block) -> Tensor:
        return blended(prepared.tensor, self.background, units.masks(block))

    def settings(self) -> dict[str, Any]:
        return self.fill.settings()


def blended(tensor: Tensor, background: Tensor, masks: Tensor) -> Tensor:
    """``b + (x − b) ⊙ M`` for every mask: ``(B, *tensor.shape)``.

    Args:
        tensor: ``(*lead, *shape)``, such as ``(C, H, W)``.
        background: of the same shape.
        masks: ``(B, *shape)``; the leading dimensions share a mask.
    """
    lead = tensor.ndim - (masks.ndim - 1)
    kept = masks.reshape(len(masks), *(1,) * lead, *masks.shape[1:]).to(tensor.dtype)
    return torch.addcmul(background, tensor - background, kept)


@dataclass(frozen=True)
class Mean(Background):
    """The mean of the data (default): zero in the input space of an encoder that normalises.

    An input whose values all lie in [0, 1], for an encoder without a known normalisation, is taken for one that is not
    normalised, where zero is black; its own mean in each channel stands in then.
    """

    def background(self, tensor: Tensor, by: Any, seed: int) -> Tensor:
        if tensor.ndim < 2 or getattr(by, "normalises", False) or not _between_0_and_1(tensor):
            return torch.zeros_like(tensor)
        channels = tensor.flatten(1).mean(1)
        return channels.view(-1, *(1,) * (tensor.ndim - 1)).expand_as(tensor).contiguous()

    def settings(self) -> dict[str, Any]:
        return {"name": "mean"}


@dataclass(frozen=True)
class Zero(Background):
    """Zero in the encoder's input space, whatever that means to the encoder: black without a normalisation."""

    def background(self, tensor: Tensor, by: Any, seed: int) -> Tensor:
        return torch.zeros_like(tensor)

    def settings(self) -> dict[str, Any]:
        return {"name": "zero"}


@dataclass(frozen=True, eq=False)
class Other(Background):
    """Another input that the encoder takes (or its path), such as a picture or a model-ready tensor."""

    input: Any

    @property
    def reproducible(self) -> bool:
        return False

    def background(self, tensor: Tensor, by: Any, seed: int) -> Tensor:
        if by is None:
            raise ArgumentError("another input as fill needs the encoder that prepares it; bind() the fill with by=")
        return like(by.prepare(self.input).tensor, tensor, "the input given as fill")

    def settings(self) -> dict[str, Any]:
        return {"name": "other", "input": str(self.input) if isinstance(self.input, str) else None}


@dataclass(frozen=True, eq=False)
class _Wrapped(Background):
    """An object with ``background()`` and ``settings()`` that is no subclass."""

    fill: Any

    def background(self, tensor: Tensor, by: Any, seed: int) -> Tensor:
        made: Tensor = self.fill.background(tensor, by, seed)
        return made

    def settings(self) -> dict[str, Any]:
        settings: dict[str, Any] = self.fill.settings()
        return settings


FILLS: Registry[type[Fill]] = Registry(
    "fill",
    {
        "mean": "relax.modalities.fills:Mean",
        "zero": "relax.modalities.fills:Zero",
        "solid": "relax.modalities.image.fills:Solid",
        "blur": "relax.modalities.image.fills:Blur",
        "noise": "relax.modalities.image.fills:Noise",
        "drop": "relax.encoders.tokens:Drop",
        "views": "relax.multiview.masks:ViewFill",
    },
    group="relax.fill",
)


def create(name: str, **options: Any) -> Fill:
    """A fill by name, with its options: ``create("blur", sigma=5)``.

    Raises:
        UnknownNameError: no such fill.
        ArgumentError: the fill does not take these options.
    """
    try:
        return FILLS[name](**options)
    except TypeError as error:
        raise ArgumentError(f"fill {name!r} does not take these options: {error}") from error


def ensure(fill: Any) -> Fill:
    """A fill from a fill, a name, a colour (name, ``#rrggbb``, three integers) or another input (or its path).

    Raises:
        UnknownNameError: a string that is none of these.
        ArgumentError: ``None``, or a colour that is none.
    """
    if isinstance(fill, Fill):
        return fill
    if hasattr(fill, "background"):
        return _Wrapped(fill)
    if isinstance(fill, str):
        if fill in ImageColor.colormap or fill.startswith("#"):
            return create("solid", color=fill)
        if fill not in FILLS and Path(fill).is_file():
            return Other(fill)
        if fill not in FILLS:
            raise UnknownNameError(
                f"unknown fill {fill!r}; expected one of {', '.join(FILLS)}, a colour (a name or #rrggbb), or the path "
                "of a picture that is there"
            )
        return create(fill)
    if isinstance(fill, (tuple, list)):
        return create("solid", color=tuple(fill))
    if fill is None:
        raise ArgumentError(f"expected `fill` to be a colour, a picture or one of {', '.join(FILLS)}, got None")
    return Other(fill)


def like(background: Tensor, tensor: Tensor, what: str) -> Tensor:
    """A background on the device and of the type of an input; an error unless it has the input's shape."""
    if background.shape != tensor.shape:
        raise ArgumentError(
            f"expected a fill of shape {tuple(tensor.shape)}, but {what} became {tuple(background.shape)} "
            "in the encoder's preprocessing; give a fill of the input's size"
        )
    return background.to(tensor)


def _between_0_and_1(tensor: Tensor) -> bool:
    return bool((tensor >= 0).all()) and bool((tensor <= 1).all()) and bool((tensor > 0).any())


def _tensors(prepared: Prepared) -> bool:
    return all(isinstance(value, Tensor) for value in prepared.inputs.values())
