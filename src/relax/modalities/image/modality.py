"""The image modality."""

from __future__ import annotations

from collections.abc import Mapping
from os import PathLike
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from PIL import Image as Pillow
from torch import Tensor

from relax.errors import InputError, RelaxError, first_line
from relax.modalities.base import Modality
from relax.modalities.cells import Cells
from relax.modalities.image.cells import image_cells
from relax.modalities.image.geometry import at_picture
from relax.modalities.image.pictures import (
    SUFFIXES,
    describe,
    files_in,
    fingerprint,
    from_array,
    open_picture,
    pictures_below,
    thumbnail,
    upright_rgb,
)
from relax.modalities.image.storing import from_cell, probe_picture, stored_shape
from relax.modalities.image.transforms import Box, ImageTransform
from relax.modalities.prepared import Prepared
from relax.modalities.shown import Shown

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class Image(Modality):
    """Pictures, and model-ready ``(C, H, W)`` tensors.

    A path, PIL image or numpy array is a picture: it is turned upright, converted to RGB and passed through the
    encoder's transform. A torch tensor is used as is.
    """

    name = "image"
    method = "relax-regression"
    several_fills = ("blur", "mean")
    cards = False
    suffixes = tuple(sorted(SUFFIXES))

    def prepare(self, source: Any) -> Prepared:
        if isinstance(source, Prepared):
            return source
        if isinstance(source, Tensor):
            return _from_tensor(source)
        picture = _picture(source)
        if self.transform is None:
            raise InputError(
                "the encoder has no transform for pictures; pass relax.Encoder(model, transform=...), or explain a "
                "model-ready tensor"
            )
        tensor = self._transformed(picture, describe(source))
        if not isinstance(tensor, Tensor) or tensor.ndim != 3:
            got = tuple(tensor.shape) if isinstance(tensor, Tensor) else type(tensor).__name__
            raise InputError(f"expected the transform to return a (C, H, W) tensor, got {got}")
        box: Box = (0.0, 0.0, float(picture.width), float(picture.height))
        if isinstance(self.transform, ImageTransform):
            box = self.transform.box(picture.size)
        provenance = {
            "source": describe(source),
            "name": PurePath(describe(source)).name,
            "picture_size": list(picture.size),
            "box": list(box),
        }
        return Prepared({"image": tensor}, picture, box, source=provenance)

    def _transformed(self, picture: Pillow.Image, name: str) -> Any:
        try:
            return self.transform(picture)
        except RelaxError:
            raise
        except Exception as error:
            reason = first_line(error)[:200]
            raise InputError(f"{name}: the encoder's transform failed: {type(error).__name__}: {reason}") from error

    @staticmethod
    def show_pair(a: Shown, b: Shown, similarity: float, interactions: Any) -> Figure:
        """Both pictures with their maps, and which region answers which."""
        from relax.modalities.image.pairs import plot_match

        return plot_match(a, b, similarity, interactions)

    def split(self, inputs: Any) -> list[Any] | None:
        """Split a list, a tuple, an ``(N, C, H, W)`` tensor or an ``(N, H, W, C)`` array; ``None`` for one input."""
        if isinstance(inputs, (Tensor, np.ndarray)) and inputs.ndim == 4:
            return list(inputs)
        return super().split(inputs)

    def files_in(self, folder: Path) -> list[Path]:
        """Picture files in a folder, not recursive, sorted."""
        return files_in(folder)

    def files_below(self, folder: Path) -> list[Path]:
        """Picture files in a folder and its subfolders, as absolute paths, sorted."""
        return pictures_below(folder)

    def probe(self, shape: tuple[int, ...] | None = None) -> np.ndarray | None:
        """A fixed picture; ``None`` for encoders without a transform."""
        return None if self.transform is None else probe_picture()

    def of_cell(self, value: Any, folder: Path) -> Any:
        """A path, relative to the table's folder, or an encoded picture: bytes, alone or under ``"bytes"``."""
        return from_cell(value, folder)

    @staticmethod
    def stored_shape(explanation: Shown) -> tuple[int, ...]:
        """14x14, or the patches of the masks."""
        return stored_shape(explanation.importance.shape, explanation.settings["masks"])

    def cells(self, prepared: Prepared) -> Cells:
        """28x28 cells, or pixels; effects may be smooth in place, or in place and colour."""
        return image_cells(prepared.tensor)

    @property
    def normalises(self) -> bool:
        return isinstance(self.transform, ImageTransform) and any(self.transform.mean)

    def to_map(self, attribution: Tensor) -> Tensor:
        """Sum an attribution ``(C, H, W)`` over channels."""
        return attribution.sum(0)

    @staticmethod
    def show(explanation: Shown) -> Figure:
        from relax.modalities.image.showing import plot_image

        return plot_image(explanation)

    @staticmethod
    def at_presentation(values: np.ndarray, source: Mapping[str, Any]) -> np.ndarray:
        """Resize a map to the picture's resolution bilinearly; NaN outside the encoder's crop."""
        return at_picture(values, source)

    @staticmethod
    def described(prepared: Prepared) -> dict[str, Any]:
        """JSON-serialisable provenance, with the SHA-256 of the picture's pixels."""
        if prepared.presentation is None:
            return prepared.source
        return {**prepared.source, "sha256": fingerprint(prepared.presentation)}

    @staticmethod
    def kept(presentation: Any) -> Any:
        """The picture as an array ``(h, w, 3)`` uint8, downsized to at most 1024 pixels on the longest side."""
        return thumbnail(presentation)


def _picture(source: Any) -> Pillow.Image:
    """Upright RGB picture from a path, a PIL image or an array."""
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
            f"expected a tensor of shape (C, H, W), or (N, C, H, W) for several, got {tuple(tensor.shape)}; "
            "for other inputs name the modality: relax.Encoder(model, modality='vector'), modality='array' for signals"
        )
    if 0 in tensor.shape:
        raise InputError(f"expected an input, got an empty tensor of shape {tuple(tensor.shape)}")
    if not tensor.is_floating_point():
        raise InputError(f"expected a floating-point, model-ready tensor, got {tensor.dtype}; pass pictures as arrays")
    if not torch.isfinite(tensor).all():
        raise InputError("the input tensor has NaN or infinite values")
    return Prepared({"image": tensor.detach()}, source={"source": "tensor"})
