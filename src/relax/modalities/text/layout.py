"""Where the parts of a text are: the elements that a map speaks of, and the tokens of each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from relax.modalities.text.segmentation import Span


@dataclass(frozen=True, eq=False)
class Layout:
    """Elements and tokens of one text.

    Attributes:
        text: the text.
        elements: spans of the elements of a map, in order, without overlaps.
        tokens: ``(T, 2)`` int64 spans of the encoder's tokens; ``None`` for an encoder that takes strings.
        fixed: ``(T,)`` bool, tokens that are never removed: special ones, and those of a prompt.
    """

    text: str
    elements: tuple[Span, ...]
    tokens: np.ndarray | None = None
    fixed: np.ndarray | None = None

    @cached_property
    def element_of_token(self) -> np.ndarray:
        """Index of the element of each token, ``(T,)`` int64; the number of elements for tokens outside all."""
        if self.tokens is None or self.fixed is None:
            raise ValueError("the layout has no tokens")
        found = owners(self.tokens, self.elements)
        found[self.fixed | (found < 0)] = len(self.elements)
        return found

    @property
    def free_tokens(self) -> list[Span]:
        """Spans of the tokens that can be removed; overlapping ones, such as the bytes of an emoji, are joined."""
        spans: list[Span] = []
        if self.tokens is None or self.fixed is None:
            return spans
        for (start, stop), fixed in zip(self.tokens.tolist(), self.fixed.tolist(), strict=True):
            if fixed or stop <= start:
                continue
            if spans and start < spans[-1][1]:
                spans[-1] = (spans[-1][0], max(stop, spans[-1][1]))
            else:
                spans.append((start, stop))
        return spans


def owners(spans: np.ndarray | Sequence[Span], parts: Sequence[Span]) -> np.ndarray:
    """Index of the part that covers most of each span, ``(N,)`` int64; −1 where none does.

    Args:
        spans: ``(N, 2)`` starts and stops.
        parts: starts and stops of the parts, in order, without overlaps.
    """
    found = np.full(len(spans), -1, dtype=np.int64)
    if not len(parts):
        return found
    stops = np.array([stop for _, stop in parts])
    for number, (start, stop) in enumerate(spans):
        best = 0
        for part in range(int(np.searchsorted(stops, start, side="right")), len(parts)):
            left, right = parts[part]
            if left >= stop:
                break
            if min(stop, right) - max(start, left) > best:
                best = min(stop, right) - max(start, left)
                found[number] = part
    return found


def removable(parts: list[Span], layout: Layout) -> list[Span]:
    """Parts that can be removed one by one; all parts for an encoder of strings.

    Parts that share a token are one, such as words of a script that the tokenizer does not know; parts without a token
    are left out.

    Args:
        parts: starts and stops of the parts, in order, without overlaps.
        layout: tokens of the text.
    """
    if layout.tokens is None or layout.fixed is None:
        return parts
    whole: list[Span] = []
    tokens = layout.free_tokens
    stops = np.array([stop for _, stop in tokens])
    for start, stop in parts:
        if whole:
            token = int(np.searchsorted(stops, whole[-1][1] - 1, side="right"))  # of the last character before
            if token < len(tokens) and tokens[token][0] < whole[-1][1] and tokens[token][1] > start:
                whole[-1] = (whole[-1][0], stop)
                continue
        whole.append((start, stop))
    owner = owners(layout.tokens, whole)
    seen = {*owner[~layout.fixed].tolist()}
    return [part for number, part in enumerate(whole) if number in seen]
