"""One input on the page: its picture with the map drawn in, its words, or its most important units."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from relax.insights.drawing import embedded, map_picture, thumbnail
from relax.insights.rows import Rows
from relax.insights.seen import Seen

WORDS = 80
"""Most words of a text on the page."""

UNITS = 4
"""Units of other inputs on the page."""

STRONG = (0.85, 0.6)
"""Quantiles of the shares from which a word is underlined heavily, and lightly."""


@dataclass(frozen=True)
class Card:
    """What the page shows of an input.

    Attributes:
        key: its name.
        note: a figure below it.
        image: ``data:`` URL; ``None`` for other inputs, or if the picture is gone.
        words: words with their strength: 2 heavily underlined, 1 lightly, 0 not.
        units: the most important units with their values in the map.
    """

    key: str
    note: str
    image: str | None = None
    words: list[tuple[str, int]] = field(default_factory=list)
    units: list[tuple[str, float]] = field(default_factory=list)


class Cards:
    """Draws inputs of a store.

    Args:
        rows: the explained inputs.
        seen: the inputs themselves.
    """

    def __init__(self, rows: Rows, seen: Seen) -> None:
        self.rows, self.seen = rows, seen

    def card(self, place: int, note: str = "", values: np.ndarray | None = None) -> Card:
        """One input.

        Args:
            place: which.
            note: a figure below it.
            values: the map that is drawn in; by default the input's own importance.
        """
        key = str(self.rows.keys[place])
        values = self.rows.importance[place] if values is None else values
        if self.rows.modality == "image":
            picture = self.seen.picture(place)
            drawn = map_picture(values) if picture is None else thumbnail(picture, values)
            return Card(
                key, note if picture is not None else f"{note} (map only: the picture is gone)", embedded(drawn)
            )
        labels = None if self.rows.labels is None else self.rows.labels[place]
        if labels is not None and not self.rows.aligned:
            return Card(key, note, words=_words(labels, values))
        return Card(key, note, units=_units(labels, values))


def _words(labels: list[str], values: np.ndarray) -> list[tuple[str, int]]:
    """Words around the most important one, with their strength."""
    flat = values.ravel()
    start = max(0, min(int(flat.argmax()) - WORDS // 2, len(labels) - WORDS))
    heavy, light = np.quantile(flat, STRONG)
    flatness = np.ptp(flat) == 0
    return [
        (word, 0 if flatness else 2 if value >= heavy else 1 if value >= light else 0)
        for word, value in zip(labels[start : start + WORDS], flat[start : start + WORDS], strict=True)
    ]


def _units(labels: list[str] | None, values: np.ndarray) -> list[tuple[str, float]]:
    flat = values.ravel()
    names: Any = labels or [
        str(tuple(map(int, place))) if values.ndim > 1 else str(place[0]) for place in np.ndindex(values.shape)
    ]
    order = np.argsort(-flat, kind="stable")[:UNITS]
    return [(str(names[number]), float(flat[number])) for number in order]
