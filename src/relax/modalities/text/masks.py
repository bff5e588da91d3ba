"""Masks on the parts of a text: tokens, words, sentences, paragraphs, or the matches of a regular expression."""

from __future__ import annotations

import re
from abc import abstractmethod
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from relax.errors import ArgumentError, InputError
from relax.modalities.prepared import Prepared
from relax.modalities.text import segmentation
from relax.modalities.text.layout import Layout, owners
from relax.modalities.text.segmentation import Span
from relax.modalities.units import Block, LabelUnits, Masks, check_keep


class PartUnits(LabelUnits):
    """Parts of a text as units of its elements; elements outside all parts are always kept.

    Args:
        labels: ``(E,)`` int64 part of each element; −1 outside all parts.
    """

    def masks(self, block: Block) -> Tensor:
        return self._padded(block.bits)[:, self.labels]

    def pull_back(self, weights: Tensor, block: Block) -> Tensor:
        return (weights @ self._padded(block.bits).double())[:, self.labels]

    @staticmethod
    def _padded(bits: Tensor) -> Tensor:
        """Bits with a column of ones at the end, which the label −1 refers to."""
        return torch.cat([bits, bits.new_ones(len(bits), 1)], dim=1)


@dataclass(frozen=True)
class TextMasks(Masks):
    """Base class of masks on the parts of a text.

    Args:
        keep: probability of keeping a part, in (0, 1).

    Raises:
        ArgumentError: ``keep`` is out of range.
    """

    keep: float = 0.5

    modalities = ("text",)
    kind = ""

    def __post_init__(self) -> None:
        check_keep(self.keep)

    @abstractmethod
    def parts(self, layout: Layout) -> list[Span]:
        """Spans of the parts in a text, in order, without overlaps."""

    def over(self, prepared: Prepared | Tensor) -> PartUnits:
        layout = layout_of(prepared)
        parts = self.parts(layout)
        owner = owners(layout.elements, parts)
        present = sorted({*owner.tolist()} - {-1})
        if not present:
            raise InputError(f"{layout.text[:40]!r}: has no {self.kind}; use other masks")
        number = {part: index for index, part in enumerate(present)}
        return PartUnits(torch.tensor([number.get(part, -1) for part in owner.tolist()]))

    def settings(self) -> dict[str, Any]:
        return {"name": self.kind, "keep": self.keep}


@dataclass(frozen=True)
class TokenMasks(TextMasks):
    """The encoder's tokens; special tokens are never removed."""

    kind = "tokens"

    def parts(self, layout: Layout) -> list[Span]:
        if layout.tokens is None:
            raise ArgumentError("masks 'tokens' need an encoder with a tokenizer, this one takes strings; use 'words'")
        return layout.free_tokens


@dataclass(frozen=True)
class WordMasks(TextMasks):
    """Words with the punctuation that touches them (Unicode UAX #29); the tokens of a word stay together."""

    kind = "words"

    def parts(self, layout: Layout) -> list[Span]:
        return segmentation.words(layout.text)


@dataclass(frozen=True)
class SentenceMasks(TextMasks):
    """Sentences (Unicode UAX #29)."""

    kind = "sentences"

    def parts(self, layout: Layout) -> list[Span]:
        return segmentation.sentences(layout.text)


@dataclass(frozen=True)
class ParagraphMasks(TextMasks):
    """Paragraphs, which empty lines separate."""

    kind = "paragraphs"

    def parts(self, layout: Layout) -> list[Span]:
        return segmentation.paragraphs(layout.text)


@dataclass(frozen=True)
class PatternMasks(TextMasks):
    r"""Matches of a regular expression; everything else is always kept.

    Args:
        keep: probability of keeping a match, in (0, 1).
        pattern: regular expression of the standard library, such as ``r"[^;]+"``.

    Raises:
        ArgumentError: the pattern is not a regular expression.
    """

    pattern: str = r"\S+"

    kind = "pattern"

    def __post_init__(self) -> None:
        super().__post_init__()
        try:
            re.compile(self.pattern)
        except (re.error, TypeError) as error:
            raise ArgumentError(
                f"expected `pattern` to be a regular expression, got {self.pattern!r}: {error}"
            ) from None

    def parts(self, layout: Layout) -> list[Span]:
        return segmentation.matches(layout.text, self.pattern)

    def settings(self) -> dict[str, Any]:
        return {**super().settings(), "pattern": self.pattern}


def layout_of(prepared: Prepared | Tensor) -> Layout:
    """Layout of a prepared text.

    Raises:
        ArgumentError: the input is not a text.
    """
    layout = prepared.geometry if isinstance(prepared, Prepared) else None
    if not isinstance(layout, Layout):
        raise ArgumentError("masks on words and sentences need a text; use other masks for this input")
    return layout
