"""What a data set is: pictures with, where it knows them, masks of the objects in them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from PIL import Image

from relax.errors import ArgumentError, InputError


@dataclass(frozen=True, eq=False)
class Object:
    """One thing in a picture.

    Attributes:
        category: what it is.
        mask: ``(h, w)`` bool, where it is.
    """

    category: str
    mask: np.ndarray

    @property
    def box(self) -> tuple[int, int, int, int]:
        """Left, top, right, bottom in pixels, the last two excluded."""
        rows, columns = np.flatnonzero(self.mask.any(1)), np.flatnonzero(self.mask.any(0))
        if not len(rows):
            raise InputError(f"the mask of {self.category!r} is empty: it has no box")
        return (int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1)


@dataclass(frozen=True, eq=False)
class Sample:
    """One picture of a data set.

    Attributes:
        id: its name, unique in the data set.
        picture: upright RGB.
        objects: what is in it; empty if the data set does not say.
    """

    id: str
    picture: Image.Image
    objects: tuple[Object, ...] = field(default=())

    @property
    def mask(self) -> np.ndarray | None:
        """``(h, w)`` bool: where any object is; ``None`` without objects."""
        return np.logical_or.reduce([item.mask for item in self.objects]) if self.objects else None

    @property
    def category(self) -> str:
        """Of the largest object; an empty string without objects."""
        return max(self.objects, key=lambda item: int(item.mask.sum())).category if self.objects else ""


class Dataset(Protocol):
    """A sequence of samples, each read when it is asked for."""

    name: str

    def __len__(self) -> int:
        """How many samples there are."""

    def id(self, index: int) -> str:
        """The name of a sample, without reading it."""

    def __getitem__(self, index: int) -> Sample:
        """A sample; raises :class:`relax.InputError` if its files are damaged."""


def chosen(dataset: Dataset, n: int | None, seed: int) -> Iterator[int]:
    """Indices of ``n`` samples, all different, in a random order that the seed fixes; all of them for ``None``.

    Fewer samples are the first of more, so that a study can be made larger.
    """
    if n is not None and n < 1:
        raise ArgumentError(f"expected a positive number of inputs, got {n}")
    order = np.random.default_rng([seed, len(dataset)]).permutation(len(dataset))
    yield from (int(index) for index in order[:n])
