"""Images: read from files and arrays, masked in their plane, shown as pictures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from os import PathLike
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from PIL import Image as Pillow
from torch import Tensor

from relax.errors import InputError, RelaxError, first_line
from relax.modalities.base import Modality, Scale, Shown
from relax.modalities.image.geometry import at_picture
from relax.modalities.image.grid import GridMasks
from relax.modalities.image.pictures import (
    describe,
    files_in,
    fingerprint,
    from_array,
    open_picture,
    pictures_below,
    thumbnail,
    upright_rgb,
)
from relax.modalities.image.superpixels import SuperpixelMasks
from relax.modalities.image.transforms import Box, ImageTransform
from relax.modalities.prepared import Prepared
from relax.modalities.units import Masks

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SCALES: tuple[tuple[Masks, int, int], ...] = (
    (GridMasks(7), 49, 32),
    (GridMasks(14), 196, 64),
    (SuperpixelMasks(n_segments=60), 60, 32),
    (SuperpixelMasks(n_segments=120), 120, 32),
    (SuperpixelMasks(n_segments=250), 250, 32),
    (GridMasks(28), 784, 128),
)
"""Masks from coarse to fine: their units (of superpixels: about), and the masks in a block."""

LEAST_CELL = 4
"""Pixels of the side of a unit, below which a scale is left out."""


class Image(Modality):
    """Pictures, and model-ready ``(C, H, W)`` tensors.

    A path, PIL image or numpy array is a picture: turned upright, made RGB, put through the encoder's transform. A
    torch tensor is taken as it is.
    """

    name = "image"
    method = "relax-fine"

    def prepare(self, source: Any) -> Prepared:
        if isinstance(source, Prepared):
            return source
        if isinstance(source, Tensor):
            return _from_tensor(source)
        picture = _picture(source)
        if self.transform is None:
            raise InputError(
                "the encoder has no transform for pictures; give relax.Encoder(model, transform=...) one, or explain a "
                "model-ready tensor"
            )
        tensor = self._transformed(picture, describe(source))
        if not isinstance(tensor, Tensor) or tensor.ndim != 3:
            got = tuple(tensor.shape) if isinstance(tensor, Tensor) else type(tensor).__name__
            raise InputError(f"expected the transform to return a (C, H, W) tensor, got {got}")
        box: Box = (0.0, 0.0, float(picture.width), float(picture.height))
        if isinstance(self.transform, ImageTransform):
            box = self.transform.box(picture.size)
        about = {
            "source": describe(source),
            "name": PurePath(describe(source)).name,
            "picture_size": list(picture.size),
            "box": list(box),
        }
        return Prepared({"image": tensor}, picture, box, source=about)

    def _transformed(self, picture: Pillow.Image, name: str) -> Any:
        try:
            return self.transform(picture)
        except RelaxError:
            raise
        except Exception as error:
            said = first_line(error)[:200]
            raise InputError(f"{name}: the encoder's transform failed: {type(error).__name__}: {said}") from error

    def split(self, inputs: Any) -> list[Any] | None:
        """Also the rows of an ``(N, C, H, W)`` tensor or an ``(N, H, W, C)`` array."""
        if isinstance(inputs, (Tensor, np.ndarray)) and inputs.ndim == 4:
            return list(inputs)
        return super().split(inputs)

    def files_in(self, folder: Path) -> list[Path]:
        return files_in(folder)

    def files_below(self, folder: Path) -> list[Path]:
        return pictures_below(folder)

    def scales(self, prepared: Prepared, masks: Sequence[Masks] | None = None) -> tuple[Scale, ...]:
        """Grids and superpixels whose units are large enough; superpixels of all sizes weigh as much as one grid."""
        sizes = {recipe: size for recipe, _, size in SCALES}
        chosen = self._fitting(prepared) if masks is None else masks
        n_superpixels = max(sum(isinstance(one, SuperpixelMasks) for one in chosen), 1)
        return tuple(
            Scale(one, sizes.get(one, 128), 1 / n_superpixels if isinstance(one, SuperpixelMasks) else 1.0)
            for one in chosen
        )

    def _fitting(self, prepared: Prepared) -> list[Masks]:
        height, width = prepared.tensor.shape[-2:]
        fits: list[Masks] = []
        for masks, n_units, _ in SCALES:
            pixels = min(height, width) ** 2 if isinstance(masks, GridMasks) else height * width
            if pixels >= LEAST_CELL**2 * n_units:
                fits.append(masks)
        if not any(isinstance(masks, GridMasks) for masks in fits):
            fits.insert(0, GridMasks(7))  # superpixels alone may be one segment
        return fits

    @property
    def normalises(self) -> bool:
        return isinstance(self.transform, ImageTransform) and any(self.transform.mean)

    def to_map(self, attribution: Tensor) -> Tensor:
        """The sum over channels."""
        return attribution.sum(0)

    @staticmethod
    def show(explanation: Shown) -> Figure:
        from relax.modalities.image.showing import plot_image

        return plot_image(explanation)

    @staticmethod
    def at_presentation(values: np.ndarray, source: Mapping[str, Any]) -> np.ndarray:
        """A map at the picture's own size, resized bilinearly; NaN where the transform cropped the picture away."""
        return at_picture(values, source)

    @staticmethod
    def described(prepared: Prepared) -> dict[str, Any]:
        """With the SHA-256 of the picture's pixels."""
        if prepared.presentation is None:
            return prepared.source
        return {**prepared.source, "sha256": fingerprint(prepared.presentation)}

    @staticmethod
    def kept(presentation: Any) -> Any:
        """A picture of at most 1024 pixels on the longest side."""
        return thumbnail(presentation)


def _picture(source: Any) -> Pillow.Image:
    """An upright RGB picture from a path, a PIL image or an array."""
    if isinstance(source, (str, PathLike)):
        return open_picture(source)
    if isinstance(source, Pillow.Image):
        return upright_rgb(source)
    if isinstance(source, np.ndarray):
        return from_array(source)
    raise InputError(f"expected a path, PIL image, numpy array or tensor, got {type(source).__name__}")


def _from_tensor(tensor: Tensor) -> Prepared:
    if tensor.ndim != 3:
        raise InputError(
            f"expected a tensor of shape (C, H, W), or (N, C, H, W) for several, got {tuple(tensor.shape)}"
        )
    if 0 in tensor.shape:
        raise InputError(f"expected an input, got an empty tensor of shape {tuple(tensor.shape)}")
    if not tensor.is_floating_point():
        raise InputError(f"expected a floating-point, model-ready tensor, got {tensor.dtype}; give pictures as arrays")
    if not torch.isfinite(tensor).all():
        raise InputError("the input tensor has NaN or infinite values")
    return Prepared({"image": tensor.detach()}, source={"source": "tensor"})
