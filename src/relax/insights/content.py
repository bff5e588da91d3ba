"""What is under the important units of an input: colour and detail of a picture, words of a text."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

import numpy as np
from PIL import Image

from relax.insights.clusters import unit_length
from relax.insights.rows import Rows
from relax.insights.seen import Seen

FACTOR = 4
"""Pixels along a side of each unit at which a picture is described."""

VOCABULARY = 2000
"""Most words by which texts are told apart, the most frequent first."""


class Content(ABC):
    """Features of the units of inputs, which can be read at the important units or elsewhere."""

    @abstractmethod
    def under(self, shares: Sequence[np.ndarray]) -> np.ndarray:
        """Mean features of each input, weighted by shares of its units, ``(N, F)``."""

    @abstractmethod
    def elsewhere(self, shares: np.ndarray | None) -> np.ndarray:
        """The same, read in every input by the same shares: where other inputs look, or all over a text."""


class Sights(Content):
    """Pictures: lightness, colour, edges and contrast around each unit, in standard deviations over all units.

    Args:
        pictures: what the encoder saw, RGB.
        shape: ``(rows, columns)`` of the units.
    """

    def __init__(self, pictures: Sequence[Image.Image], shape: tuple[int, int]) -> None:
        raw = np.stack([_described(picture, shape) for picture in pictures])
        self.features = (raw - raw.mean((0, 1, 2))) / np.maximum(raw.std((0, 1, 2)), 1e-9)

    def under(self, shares: Sequence[np.ndarray]) -> np.ndarray:
        read: np.ndarray = np.einsum("nijf,nij->nf", self.features, np.stack(list(shares)))
        return read

    def elsewhere(self, shares: np.ndarray | None) -> np.ndarray:
        if shares is None:
            return np.asarray(self.features.mean((1, 2)))
        read: np.ndarray = np.einsum("nijf,ij->nf", self.features, shares)
        return read


class Words(Content):
    """Texts: their words, weighted by how rare they are; upper and lower case are one.

    Args:
        labels: names of the units of each text.
    """

    def __init__(self, labels: Sequence[Sequence[str]]) -> None:
        words = [[name.strip().lower() for name in names] for names in labels]
        counts: dict[str, int] = {}
        for names in words:
            for name in {*names} - {""}:
                counts[name] = counts.get(name, 0) + 1
        kept = sorted((name for name in counts if counts[name] > 1), key=lambda name: (-counts[name], name))
        self.column = {name: number for number, name in enumerate(kept[:VOCABULARY])}
        self.weight = np.array([np.log(1 + len(words) / counts[name]) for name in self.column])
        self.words = words

    def under(self, shares: Sequence[np.ndarray]) -> np.ndarray:
        read = np.zeros((len(self.words), max(1, len(self.column))))
        for row, (names, one) in enumerate(zip(self.words, shares, strict=True)):
            for name, share in zip(names, one.ravel(), strict=True):
                if name in self.column:
                    read[row, self.column[name]] += share * self.weight[self.column[name]]
        return unit_length(read)

    def elsewhere(self, shares: np.ndarray | None) -> np.ndarray:
        return self.under([np.full(len(names), 1 / max(1, len(names))) for names in self.words])


def content_of(rows: Rows, seen: Seen) -> Content | None:
    """What can be read in the inputs of a store; ``None`` for columns and numbers, or if pictures are gone.

    Args:
        rows: explained inputs, of pictures only those that can be seen.
        seen: the inputs.
    """
    if rows.modality == "image" and rows.aligned and rows.importance[0].ndim == 2:
        pictures = [seen.picture(place) for place in range(len(rows))]
        here = [picture for picture in pictures if picture is not None]
        height, width = rows.importance[0].shape
        return Sights(here, (height, width)) if len(here) == len(rows) else None
    return Words(rows.labels) if rows.labels is not None and not rows.aligned else None


def _described(picture: Image.Image, shape: tuple[int, int]) -> np.ndarray:
    """Features of the units of a picture, ``(rows, columns, 6)``, each smoothed over about a unit."""
    from scipy.ndimage import gaussian_filter, sobel
    from skimage.color import rgb2lab

    rows, columns = shape
    small = picture.resize((columns * FACTOR, rows * FACTOR), Image.Resampling.BILINEAR)
    lab = rgb2lab(np.asarray(small.convert("RGB"))) / 50
    light = lab[..., 0]
    across, down = sobel(light, 1), sobel(light, 0)

    def smooth(values: Any, width: float = 0.7) -> np.ndarray:
        return np.asarray(gaussian_filter(values, FACTOR * width))

    edges = (smooth(np.hypot(across, down)), smooth(np.abs(across) - np.abs(down)))
    contrast = np.sqrt(np.maximum(smooth(light**2, 1.0) - smooth(light, 1.0) ** 2, 0))
    features = np.stack([*(smooth(lab[..., channel]) for channel in range(3)), *edges, contrast], -1)
    return np.asarray(features.reshape(rows, FACTOR, columns, FACTOR, -1).mean((1, 3)))
