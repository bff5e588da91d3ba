"""Fills: replacements for removed units of an input, also called baselines.

:meth:`Fill.bind` prepares a fill for one input; :meth:`Fill.apply` then turns a block of masks into a batch for the
encoder. Most fills are a :class:`Background` of the input's shape, blended in by a mask: ``x̃ = b + (x − b) ⊙ M``.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from numbers import Number
from pathlib import Path
from typing import Any, ClassVar

import torch
from PIL import ImageColor
from torch import Tensor

from relax._support.registry import Registry
from relax.errors import ArgumentError, UnknownNameError
from relax.modalities.batches import Batch, shapes
from relax.modalities.interfaces import Prepares, Runs
from relax.modalities.prepared import Prepared
from relax.modalities.units import Block, Masks, Units


class Fill(ABC):
    """Base class of fills, which replace removed units; immutable.

    Attributes:
        modalities: names of supported modalities; ``None`` for all.
        needs: why only PyTorch can encode with this fill; ``None`` if any engine can.
    """

    modalities: ClassVar[tuple[str, ...] | None] = None
    needs: ClassVar[str | None] = None

    def bind(self, prepared: Prepared, by: Prepares | None = None, seed: int = 0) -> Fill:
        """Prepare the fill for one input.

        Args:
            prepared: the input, on the session's device.
            by: modality or encoder that preprocesses inputs; required by fills that are inputs themselves.
            seed: random seed of the fill.
        """
        return self

    @abstractmethod
    def apply(self, prepared: Prepared, units: Units, block: Block) -> Batch:
        """Apply masks to the input; returns a batch of ``B`` inputs that share no memory with it.

        Args:
            prepared: the input that the fill is bound to.
            units: units of that input.
            block: ``B`` masks, on the input's device.
        """

    @abstractmethod
    def settings(self) -> dict[str, Any]:
        """JSON-serialisable description; ``relax.fills.create(**settings)`` recreates the fill."""

    def encode(self, session: Runs, prepared: Prepared, units: Units, block: Block) -> Tensor:
        """Representations of the input under the ``B`` masks of a block, ``(B, D)``."""
        key = shapes({name: value[None] for name, value in prepared.inputs.items()}) if _tensors(prepared) else ()
        return session.run(len(block), key, lambda rows: session(self.apply(prepared, units, block[rows])))

    def check(self, masks: Masks, encoder: Any) -> None:  # noqa: B027
        """Raise an ArgumentError unless the fill supports these masks and this encoder; by default supports all."""

    @property
    def reproducible(self) -> bool:
        """Whether the settings suffice to recreate the fill: it is registered, and holds no other input."""
        return self.settings().get("name") in FILLS


class Background(Fill):
    """Base class of fills that are a background of the input's shape, for inputs of one tensor."""

    @abstractmethod
    def background(self, tensor: Tensor, by: Any, seed: int) -> Tensor:
        """Create the background, of the shape of ``tensor`` and on its device.

        Args:
            tensor: the model-ready input, ``(C, H, W)`` for images.
            by: modality or encoder that preprocesses inputs.
            seed: random seed of the fill.

        Raises:
            ArgumentError: the fill does not fit the input.
        """

    def bind(self, prepared: Prepared, by: Prepares | None = None, seed: int = 0) -> Blend:
        return Blend(self, self.background(prepared.tensor, by, seed))

    def apply(self, prepared: Prepared, units: Units, block: Block) -> Batch:
        return self.bind(prepared).apply(prepared, units, block)


@dataclass(frozen=True, eq=False)
class Blend(Fill):
    """A background bound to one input, to blend by masks.

    Args:
        fill: fill that created the background.
        background: tensor of the input's shape.
    """

    fill: Fill
    background: Tensor

    def apply(self, prepared: Prepared, units: Units, block: Block) -> Tensor:
        return blended(prepared.tensor, self.background, units.masks(block))

    def settings(self) -> dict[str, Any]:
        return self.fill.settings()


def blended(tensor: Tensor, background: Tensor, masks: Tensor) -> Tensor:
    """Blend an input and a background by masks, ``b + (x − b) ⊙ M``.

    Args:
        tensor: the input x, ``(*lead, *shape)``, such as ``(C, H, W)``.
        background: the background b, of the same shape.
        masks: the masks M, ``(B, *shape)`` in [0, 1]; leading dimensions of the input share a mask.

    Returns:
        ``(B, *tensor.shape)``, of the input's type.
    """
    lead = tensor.ndim - (masks.ndim - 1)
    weights = masks.reshape(len(masks), *(1,) * lead, *masks.shape[1:]).to(tensor.dtype)
    return torch.addcmul(background, tensor - background, weights)


@dataclass(frozen=True)
class Mean(Background):
    """The mean of the data (default): zero in the input space of an encoder that normalises.

    Without a known normalisation, an input with all values in [0, 1] is assumed not to be normalised, so that zero is
    black; the fill is then the input's own mean in each channel.
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
    """Zero in the encoder's input space: black for an encoder that does not normalise."""

    def background(self, tensor: Tensor, by: Any, seed: int) -> Tensor:
        return torch.zeros_like(tensor)

    def settings(self) -> dict[str, Any]:
        return {"name": "zero"}


@dataclass(frozen=True, eq=False)
class Other(Background):
    """Another input of the encoder, such as a picture, its path, or a model-ready tensor.

    Args:
        input: the other input; after preprocessing it must have the shape of the input it fills.
    """

    input: Any

    @property
    def reproducible(self) -> bool:
        return False

    def background(self, tensor: Tensor, by: Any, seed: int) -> Tensor:
        if by is None:
            raise ArgumentError(
                "another input as fill needs preprocessing; pass an encoder or modality to bind() as by="
            )
        return like(by.prepare(self.input).tensor, tensor, "the input given as fill")

    def settings(self) -> dict[str, Any]:
        return {"name": "other", "input": str(self.input) if isinstance(self.input, str) else None}


@dataclass(frozen=True, eq=False)
class _Wrapped(Background):
    """Adapter for an object with ``background()`` and ``settings()`` that is not a Fill."""

    fill: Any

    def background(self, tensor: Tensor, by: Any, seed: int) -> Tensor:
        background: Tensor = self.fill.background(tensor, by, seed)
        return background

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
        "dropped": "relax.modalities.text.fills:Dropped",
        "mask-token": "relax.modalities.text.fills:MaskToken",
        "pad-token": "relax.modalities.text.fills:PadToken",
        "drawn": "relax.modalities.text.fills:Drawn",
        "column-mean": "relax.modalities.table.fills:ColumnMean",
        "column-median": "relax.modalities.table.fills:ColumnMedian",
        "column-draw": "relax.modalities.table.fills:ColumnDraw",
        "column-missing": "relax.modalities.table.fills:ColumnMissing",
        "series-mean": "relax.modalities.series.fills:SeriesMean",
        "series-zero": "relax.modalities.series.fills:SeriesZero",
        "series-noise": "relax.modalities.series.fills:SeriesNoise",
        "series-other": "relax.modalities.series.fills:OtherSeries",
        "interpolation": "relax.modalities.series.fills:Interpolation",
        "silence": "relax.modalities.sound.fills:Silence",
        "level-noise": "relax.modalities.sound.fills:LevelNoise",
        "mean-spectrum": "relax.modalities.sound.fills:MeanSpectrum",
        "views": "relax.multiview.masks:ViewFill",
    },
    group="relax.fill",
)


def create(name: str, **options: Any) -> Fill:
    """Create a fill by name, with its options: ``create("blur", sigma=5)``.

    Raises:
        UnknownNameError: there is no fill of this name.
        ArgumentError: the fill does not take these options.
    """
    try:
        return FILLS[name](**options)
    except TypeError as error:
        raise ArgumentError(f"fill {name!r} does not take these options: {error}") from error


def ensure(fill: Any) -> Fill:
    """Resolve a fill from a Fill, a name, a colour (name, ``#rrggbb``, three integers) or another input (or its path).

    Raises:
        UnknownNameError: a string is neither a fill, a colour nor a file.
        ArgumentError: ``None``, or an invalid colour.
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
                "of a picture"
            )
        return create(fill)
    if isinstance(fill, (tuple, list)):
        return create("solid", color=tuple(fill))
    if fill is None or isinstance(fill, Number):
        raise ArgumentError(f"expected `fill` to be a colour, a picture or one of {', '.join(FILLS)}, got {fill!r}")
    return Other(fill)


def like(background: Tensor, tensor: Tensor, what: str) -> Tensor:
    """Move a background to the device and type of an input; ``what`` names its origin in messages.

    Raises:
        ArgumentError: the shapes differ.
    """
    if background.shape != tensor.shape:
        raise ArgumentError(
            f"expected a fill of shape {tuple(tensor.shape)}, got {tuple(background.shape)} from {what} after "
            "preprocessing; use a fill of the input's size"
        )
    return background.to(tensor)


def _between_0_and_1(tensor: Tensor) -> bool:
    return bool((tensor >= 0).all()) and bool((tensor <= 1).all()) and bool((tensor > 0).any())


def _tensors(prepared: Prepared) -> bool:
    return all(isinstance(value, Tensor) for value in prepared.inputs.values())
