"""Preprocessing of pictures for image encoders."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from relax.errors import ArgumentError

Box = tuple[float, float, float, float]
CROPS = (None, "center")


@dataclass(frozen=True)
class ImageTransform:
    """Resize, scale to [0, 1], normalise.

    Args:
        size: ``(height, width)`` of the encoder's input.
        mean: mean of each channel, for values in [0, 1].
        std: standard deviation of each channel, for values in [0, 1].
        interpolation: name of a Pillow resampling filter.
        crop: ``None`` resizes the whole picture without cropping; ``"center"`` is the model's evaluation transform,
            which resizes the shorter side to ``resize`` and crops the centre.
        resize: shorter side before a centre crop, in pixels; ``None`` for models evaluated on whole pictures.

    Raises:
        ArgumentError: ``crop`` or ``interpolation`` is unknown.
    """

    size: tuple[int, int]
    mean: tuple[float, float, float] = (0.485, 0.456, 0.406)
    std: tuple[float, float, float] = (0.229, 0.224, 0.225)
    interpolation: str = "bicubic"
    crop: str | None = None
    resize: int | None = None

    def __post_init__(self) -> None:
        if self.crop not in CROPS:
            raise ArgumentError(f"expected `crop` to be None or 'center', got {self.crop!r}")
        if self.interpolation.upper() not in Image.Resampling.__members__:
            names = ", ".join(name.lower() for name in Image.Resampling.__members__)
            raise ArgumentError(f"expected `interpolation` to be one of {names}, got {self.interpolation!r}")

    def __call__(self, picture: Image.Image) -> Tensor:
        """Preprocess an RGB picture to a tensor ``(3, height, width)`` float32."""
        height, width = self.size
        filter_ = Image.Resampling[self.interpolation.upper()]
        if self._crops(picture.size):
            left, top = self._corner(picture.size)
            picture = picture.resize(self._resized(picture.size), filter_)
            picture = picture.crop((left, top, left + width, top + height))
        elif picture.size != (width, height):
            picture = picture.resize((width, height), filter_)
        pixels = torch.from_numpy(np.array(picture, dtype=np.float32)).permute(2, 0, 1) / 255
        mean, std = (torch.tensor(values, dtype=torch.float32)[:, None, None] for values in (self.mean, self.std))
        return ((pixels - mean) / std).contiguous()

    def box(self, picture_size: tuple[int, int]) -> Box:
        """Region ``(left, top, right, bottom)`` that the encoder sees of a picture of size ``(width, height)``."""
        width, height = picture_size
        if not self._crops(picture_size):
            return (0.0, 0.0, float(width), float(height))
        (resized_width, resized_height), (left, top) = self._resized(picture_size), self._corner(picture_size)
        x, y = width / resized_width, height / resized_height
        return (left * x, top * y, (left + self.size[1]) * x, (top + self.size[0]) * y)

    def _crops(self, picture_size: tuple[int, int]) -> bool:
        return self.crop is not None and self.resize is not None and picture_size != self.size[::-1]

    def _resized(self, picture_size: tuple[int, int]) -> tuple[int, int]:
        width, height = picture_size
        side = self.resize or min(self.size)
        return (side, int(side * height / width)) if width <= height else (int(side * width / height), side)

    def _corner(self, picture_size: tuple[int, int]) -> tuple[int, int]:
        width, height = self._resized(picture_size)
        return (round((width - self.size[1]) / 2), round((height - self.size[0]) / 2))

    def settings(self) -> dict[str, Any]:
        """JSON-serialisable parameters."""
        return {key: list(value) if isinstance(value, tuple) else value for key, value in asdict(self).items()}
