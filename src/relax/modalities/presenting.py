"""How explanations of a kind of input are shown and kept."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from html import escape
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from relax.errors import ArgumentError
from relax.modalities.prepared import Prepared
from relax.modalities.shown import Shown

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MOST_STORED = 1024
"""Most values of a map in a store of many maps, unless they have labels."""


class Presenting(ABC):
    """The part of a modality that shows explanations and keeps maps; :meth:`show` is the only method to implement.

    Attributes:
        cards: whether pages show inputs by :meth:`card`; they know pictures and texts themselves.
    """

    cards: ClassVar[bool] = True

    @staticmethod
    @abstractmethod
    def show(explanation: Shown) -> Figure:
        """Plot an explanation as a self-explanatory figure."""

    @classmethod
    def page(cls, explanation: Shown) -> str:
        """Self-contained HTML of an explanation; by default its figure as an image."""
        from relax.modalities.showing import as_html, title_of

        return as_html(cls.show(explanation), title_of(explanation))

    @staticmethod
    def show_pair(a: Shown, b: Shown, similarity: float, interactions: Any) -> Figure:
        """Plot two inputs explained against each other; not supported by default.

        Args:
            a: explanation of the first input against the second.
            b: explanation of the second input against the first.
            similarity: similarity of their representations.
            interactions: interactions of their regions; ``None`` if they were not estimated.
        """
        raise ArgumentError(f"no figure of pairs for {a.settings['modality']} inputs; plot the explanations a and b")

    @classmethod
    def page_of_pair(cls, a: Shown, b: Shown, similarity: float, interactions: Any) -> str:
        """Self-contained HTML of two inputs explained against each other; by default the figure as an image."""
        from relax.modalities.answers import alternative_of_pair
        from relax.modalities.showing import as_html

        return as_html(cls.show_pair(a, b, similarity, interactions), alternative_of_pair(a, b, similarity))

    @classmethod
    def card(cls, prepared: Prepared) -> str:
        """A short HTML presentation of an input on a page of many; by default its text."""
        return f"<pre>{escape(str(prepared.presentation or ''))}</pre>"

    @staticmethod
    def stored_shape(explanation: Shown) -> tuple[int, ...]:
        """Shape in which a store of many maps keeps a map, about one value a unit; by default its own.

        Maps are averaged down to this shape. Unlabelled maps of more than ``MOST_STORED`` values are kept at a fraction
        of their sides.
        """
        shape = explanation.importance.shape
        size = math.prod(shape)
        if explanation.labels is not None or size <= MOST_STORED:
            return shape
        factor = (MOST_STORED / size) ** (1 / len(shape))
        return tuple(max(1, int(side * factor)) for side in shape)

    @staticmethod
    def at_presentation(values: np.ndarray, source: Mapping[str, Any]) -> np.ndarray:
        """Resize a map to the presentation of the input; by default returns it unchanged, as float32.

        Args:
            values: the map.
            source: provenance of the input.
        """
        return np.asarray(values, dtype=np.float32)

    @staticmethod
    def kept(presentation: Any) -> Any:
        """Presentation to store with an explanation: an array, a string or ``None``; by default drops other objects."""
        return presentation if isinstance(presentation, (str, np.ndarray)) else None
