"""Fills: what stands in for the parts of an input that are removed.

A fill makes, once per input, a background of the input's own shape; a mask blends the two,
``x̃ = b + (x − b) ⊙ M``.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import torch
from PIL import Image, ImageColor
from scipy.ndimage import gaussian_filter
from torch import Tensor

from relax.errors import ArgumentError, UnknownNameError
from relax.registry import Registry

if TYPE_CHECKING:
    from relax.encoders import Encoder


class Fill(Protocol):
    """What the loop asks of a fill."""

    def background(self, tensor: Tensor, encoder: Encoder, seed: int) -> Tensor:
        """A background of the shape of the model-ready input ``tensor``, on its device."""

    def settings(self) -> dict[str, Any]:
        """JSON-able description; ``relax.fills.create(**settings)`` makes the same fill again."""


@dataclass(frozen=True)
class Mean:
    """The mean colour of the encoder's normalisation, which is zero in the encoder's input space (default)."""

    def background(self, tensor: Tensor, encoder: Encoder, seed: int) -> Tensor:
        return torch.zeros_like(tensor)

    def settings(self) -> dict[str, Any]:
        return {"name": "mean"}


@dataclass(frozen=True)
class Solid:
    """One colour (``black``, ``#808080``, ...), put through the encoder's own preprocessing.

    Args:
        color: ``(r, g, b)`` in 0-255, or a name or hexadecimal code that Pillow knows: ``"white"``, ``"#808080"``.
    """

    color: str | tuple[int, int, int] = "black"

    def __post_init__(self) -> None:
        try:
            rgb = ImageColor.getrgb(self.color)[:3] if isinstance(self.color, str) else tuple(self.color)
        except ValueError as error:
            raise ArgumentError(f"expected a colour, got {self.color!r}: {error}") from error
        if len(rgb) != 3 or not all(isinstance(v, int) and 0 <= v <= 255 for v in rgb):
            raise ArgumentError(f"expected a colour as three integers in 0-255, got {self.color!r}")
        object.__setattr__(self, "color", rgb)

    def background(self, tensor: Tensor, encoder: Encoder, seed: int) -> Tensor:
        height, width = tensor.shape[-2:]
        solid = encoder.prepare(Image.new("RGB", (width, height), self.color)).tensor
        return _like(solid, tensor, f"a {self.color} picture")

    def settings(self) -> dict[str, Any]:
        return {"name": "solid", "color": list(self.color)}


@dataclass(frozen=True)
class Blur:
    """The input itself, blurred by a Gaussian.

    Args:
        sigma: standard deviation in pixels of the encoder's input; by default a twentieth of its shorter side.
    """

    sigma: float | None = None

    def __post_init__(self) -> None:
        if self.sigma is not None and not self.sigma > 0:
            raise ArgumentError(f"expected `sigma` to be positive, got {self.sigma!r}")

    def background(self, tensor: Tensor, encoder: Encoder, seed: int) -> Tensor:
        sigma = self.sigma if self.sigma is not None else min(tensor.shape[-2:]) / 20
        spread = (0,) * (tensor.ndim - 2) + (sigma, sigma)
        blurred = gaussian_filter(tensor.float().cpu().numpy(), spread, mode="nearest")
        return torch.from_numpy(blurred).to(tensor)

    def settings(self) -> dict[str, Any]:
        return {"name": "blur", "sigma": self.sigma}


@dataclass(frozen=True)
class Noise:
    """Gaussian noise with the input's own mean and standard deviation in each channel; one draw an input."""

    def background(self, tensor: Tensor, encoder: Encoder, seed: int) -> Tensor:
        noise = np.random.default_rng([seed, 0x6E6F]).standard_normal(tuple(tensor.shape))
        mean = tensor.mean((-2, -1), keepdim=True)
        std = tensor.std((-2, -1), keepdim=True)
        return mean + std * torch.from_numpy(noise).to(tensor)

    def settings(self) -> dict[str, Any]:
        return {"name": "noise"}


@dataclass(frozen=True, eq=False)
class Other:
    """Another picture (or its path), or a model-ready tensor."""

    input: Any

    def background(self, tensor: Tensor, encoder: Encoder, seed: int) -> Tensor:
        return _like(encoder.prepare(self.input).tensor, tensor, "the picture given as fill")

    def settings(self) -> dict[str, Any]:
        return {"name": "other", "input": str(self.input) if isinstance(self.input, str) else None}


@dataclass(frozen=True)
class Drop:
    """Nothing: a vision transformer runs on the kept patches only (TIS, Englebert et al., ICCVW 2023).

    Needs patch masks of the encoder's own size. No fill can mislead the encoder, and a forward costs about as much
    less as there are fewer tokens.
    """

    def background(self, tensor: Tensor, encoder: Encoder, seed: int) -> Tensor:
        return torch.zeros_like(tensor)

    def settings(self) -> dict[str, Any]:
        return {"name": "drop"}


FILLS: Registry[type[Fill]] = Registry("fill")
FILLS.add("mean", Mean)
FILLS.add("solid", Solid)
FILLS.add("blur", Blur)
FILLS.add("noise", Noise)
FILLS.add("drop", Drop)


def create(name: str, **options: Any) -> Fill:
    """A fill by name, with its options: ``create("blur", sigma=5)``."""
    try:
        return FILLS[name](**options)
    except TypeError as error:
        raise ArgumentError(f"fill {name!r} does not take these options: {error}") from error


def ensure(fill: Any) -> Fill:
    """A fill from a fill, a name, a colour (name, ``#rrggbb``, three integers) or another picture (or its path)."""
    if isinstance(fill, (Mean, Solid, Blur, Noise, Drop, Other)) or hasattr(fill, "background"):
        return fill  # type: ignore[no-any-return]
    if isinstance(fill, str):
        if fill in ImageColor.colormap or fill.startswith("#"):
            return Solid(fill)
        if fill not in FILLS and Path(fill).is_file():
            return Other(fill)
        if fill not in FILLS:
            raise UnknownNameError(
                f"unknown fill {fill!r}; expected one of {', '.join(FILLS)}, a colour (a name or #rrggbb), or the path "
                "of a picture that is there"
            )
        return create(fill)
    if isinstance(fill, (tuple, list)):
        return Solid(tuple(fill))
    if fill is None:
        raise ArgumentError(f"expected `fill` to be a colour, a picture or one of {', '.join(FILLS)}, got None")
    return Other(fill)


def _like(background: Tensor, tensor: Tensor, what: str) -> Tensor:
    if background.shape != tensor.shape:
        raise ArgumentError(
            f"expected a fill of shape {tuple(tensor.shape)}, but {what} became {tuple(background.shape)} "
            "in the encoder's preprocessing; give a fill of the input's size"
        )
    return background.to(tensor)
