"""Fills of images: a solid colour, blur and noise."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from PIL import Image, ImageColor
from scipy.ndimage import gaussian_filter1d
from torch import Tensor

from relax.errors import ArgumentError
from relax.modalities.fills import Background, like


@dataclass(frozen=True)
class Solid(Background):
    """A solid colour, passed through the encoder's preprocessing.

    Args:
        color: ``(r, g, b)`` in 0-255, or a colour name or hexadecimal code known to Pillow: ``"white"``, ``"#808080"``.

    Raises:
        ArgumentError: the colour is invalid.
    """

    color: str | tuple[int, int, int] = "black"

    modalities = ("image",)

    def __post_init__(self) -> None:
        try:
            rgb = ImageColor.getrgb(self.color)[:3] if isinstance(self.color, str) else tuple(self.color)
        except ValueError as error:
            raise ArgumentError(f"expected a colour, got {self.color!r}: {error}") from error
        if len(rgb) != 3 or not all(isinstance(v, int) and 0 <= v <= 255 for v in rgb):
            raise ArgumentError(f"expected a colour as three integers in 0-255, got {self.color!r}")
        object.__setattr__(self, "color", rgb)

    def background(self, tensor: Tensor, by: Any, seed: int) -> Tensor:
        if by is None:
            raise ArgumentError("a colour as fill needs preprocessing; pass an encoder or modality to bind() as by=")
        height, width = tensor.shape[-2:]
        solid = by.prepare(Image.new("RGB", (width, height), self.color)).tensor
        return like(solid, tensor, f"a {self.color} picture")

    def settings(self) -> dict[str, Any]:
        return {"name": "solid", "color": list(self.color)}


@dataclass(frozen=True)
class Blur(Background):
    """The input, blurred by a Gaussian.

    Args:
        sigma: standard deviation in pixels of the encoder's input, positive; ``None`` for 1/20 of its shorter side.

    Raises:
        ArgumentError: ``sigma`` is not positive.
    """

    sigma: float | None = None

    modalities = ("image",)

    def __post_init__(self) -> None:
        if self.sigma is not None and not self.sigma > 0:
            raise ArgumentError(f"expected `sigma` to be positive, got {self.sigma!r}")

    def background(self, tensor: Tensor, by: Any, seed: int) -> Tensor:
        sigma = self.sigma if self.sigma is not None else min(tensor.shape[-2:]) / 20
        rows, columns = (_blurring(length, sigma) for length in tensor.shape[-2:])
        blurred = (rows @ tensor.cpu().double()).float().double() @ columns.T
        return blurred.to(tensor)

    def settings(self) -> dict[str, Any]:
        return {"name": "blur", "sigma": self.sigma}


@lru_cache(maxsize=4)
def _blurring(length: int, sigma: float) -> Tensor:
    """Matrix that blurs along a dimension, ``(length, length)`` float64: SciPy's filter, in half its time."""
    return torch.from_numpy(gaussian_filter1d(np.eye(length), sigma, axis=0, mode="nearest"))


@dataclass(frozen=True)
class Noise(Background):
    """Gaussian noise with the input's mean and standard deviation in each channel, drawn once per input."""

    modalities = ("image",)

    def background(self, tensor: Tensor, by: Any, seed: int) -> Tensor:
        noise = np.random.default_rng([seed, 0x6E6F]).standard_normal(tuple(tensor.shape))
        mean = tensor.mean((-2, -1), keepdim=True)
        std = tensor.std((-2, -1), keepdim=True)
        return mean + std * torch.from_numpy(noise).to(tensor)

    def settings(self) -> dict[str, Any]:
        return {"name": "noise"}
