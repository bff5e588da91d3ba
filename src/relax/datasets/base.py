"""Data set interface: images with optional masks of the objects in them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from PIL import Image

from relax.errors import ArgumentError, InputError
from relax.modalities import Prepared


@dataclass(frozen=True, eq=False)
class Object:
    """One object in an image.

    Attributes:
        category: name of its category.
        mask: ``(h, w)`` bool, true inside the object.
    """

    category: str
    mask: np.ndarray

    @property
    def box(self) -> tuple[int, int, int, int]:
        """Bounding box as left, top, right, bottom in pixels; right and bottom are exclusive.

        Raises:
            InputError: the mask is empty.
        """
        rows, columns = np.flatnonzero(self.mask.any(1)), np.flatnonzero(self.mask.any(0))
        if not len(rows):
            raise InputError(f"the mask of {self.category!r} is empty, so it has no box")
        return (int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1)


@dataclass(frozen=True, eq=False)
class Sample:
    """One image of a data set.

    Attributes:
        id: name, unique in the data set.
        picture: upright RGB image.
        objects: annotated objects; empty if there are no annotations.
    """

    id: str
    picture: Image.Image
    objects: tuple[Object, ...] = field(default=())

    @property
    def source(self) -> Image.Image:
        """The picture, as the input of an encoder."""
        return self.picture

    @property
    def against(self) -> Any:
        """What the input is compared with; ``None`` for itself."""
        return None

    def seen(self, prepared: Prepared) -> np.ndarray | None:
        """The mask at the encoder's input resolution, ``(H, W)`` bool; ``None`` without one.

        Args:
            prepared: the picture as the encoder sees it.
        """
        mask = self.mask
        if mask is None or prepared.geometry is None:
            return None
        height, width = prepared.tensor.shape[-2:]
        picture = Image.fromarray(mask.astype(np.uint8) * 255)
        box = _clipped(prepared.geometry, picture.size)
        return np.asarray(picture.resize((width, height), Image.Resampling.BILINEAR, box=box)) >= 128

    @property
    def mask(self) -> np.ndarray | None:
        """Union of the object masks, ``(h, w)`` bool; ``None`` without objects."""
        return np.logical_or.reduce([item.mask for item in self.objects]) if self.objects else None

    @property
    def category(self) -> str:
        """Category of the largest object; an empty string without objects."""
        return max(self.objects, key=lambda item: int(item.mask.sum())).category if self.objects else ""


def _clipped(box: tuple[float, float, float, float], size: tuple[int, int]) -> tuple[float, float, float, float]:
    """A box (left, top, right, bottom) clipped to a picture's (width, height)."""
    return (max(box[0], 0.0), max(box[1], 0.0), min(box[2], float(size[0])), min(box[3], float(size[1])))


class Dataset(Protocol):
    """A sequence of samples that are read on access."""

    name: str

    def __len__(self) -> int:
        """Number of samples."""

    def id(self, index: int) -> str:
        """Name of a sample, without reading its image."""

    def __getitem__(self, index: int) -> Any:
        """Read a sample: a :class:`Sample`, or another object with its ``id, source, against, mask, category, seen``.

        Raises:
            InputError: its files are missing or damaged.
        """


def chosen(dataset: Dataset, n: int | None, seed: int) -> Iterator[int]:
    """Choose samples at random, without replacement.

    The first samples do not depend on ``n``, so a study can be extended later.

    Args:
        dataset: the data set.
        n: number of samples; ``None`` for all.
        seed: random seed of the order.

    Yields:
        Indices of the samples.

    Raises:
        ArgumentError: ``n`` is not positive.
    """
    if n is not None and n < 1:
        raise ArgumentError(f"expected a positive number of inputs, got {n}")
    order = np.random.default_rng([seed, len(dataset)]).permutation(len(dataset))
    yield from (int(index) for index in order[:n])
