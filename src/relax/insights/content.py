"""What is under the important units of an input: colour and detail of a picture, words of a text."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

import numpy as np

from relax.insights.clusters import unit_length
from relax.insights.rows import Rows
from relax.insights.seen import Seen

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
        described: features of the units of each picture, ``(N, rows, columns, F)``.
    """

    def __init__(self, described: np.ndarray) -> None:
        mean, spread = (f((0, 1, 2), dtype=np.float64).astype(described.dtype) for f in (described.mean, described.std))
        self.features = (described - mean) / np.maximum(spread, 1e-9)

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
        described = [seen.described(place) for place in range(len(rows))]
        here = [features for features in described if features is not None]
        return Sights(np.stack(here)) if len(here) == len(rows) else None
    return Words(rows.labels) if rows.labels is not None and not rows.aligned else None
