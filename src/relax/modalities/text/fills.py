"""Fills of texts: what replaces removed words.

Each asks another question:

* :class:`Dropped`: what is the text without these words? Positions close up, as if the shorter text had been written.
* :class:`MaskToken`: what is the text with a gap here? Encoders trained with a mask token know what it means.
* :class:`PadToken`: what if nobody looked at these words? Attention to them is off, the others keep their positions.
* :class:`Drawn`: what if other words of the text stood here? The result has no gaps, but new word pairs.
"""

from __future__ import annotations

import zlib
from abc import abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from relax.errors import ArgumentError
from relax.modalities.batches import Batch
from relax.modalities.fills import Fill
from relax.modalities.interfaces import Runs
from relax.modalities.prepared import Prepared
from relax.modalities.text.batching import Row, padded, row_of
from relax.modalities.text.layout import Layout
from relax.modalities.text.masks import layout_of
from relax.modalities.text.tokenizer import TextTokenizer
from relax.modalities.units import Block, Units

KEPT = 0.5
"""Mask value from which an element is kept."""


class TextFill(Fill):
    """Base class of fills of texts.

    Attributes:
        name: name for users.
        on_strings: whether the fill works for encoders that take strings.
    """

    modalities = ("text",)
    name: ClassVar[str]
    on_strings: ClassVar[bool] = True

    def bind(self, prepared: Prepared, by: Any = None, seed: int = 0) -> BoundTextFill:
        tokenizer = getattr(by, "transform", None)
        layout = layout_of(prepared)
        if layout.tokens is None and not self.on_strings:
            raise ArgumentError(
                f"fill {self.name!r} needs an encoder with a tokenizer, this one takes strings; use fill='dropped'"
            )
        return BoundTextFill(self, layout, tokenizer if isinstance(tokenizer, TextTokenizer) else None, seed)

    def apply(self, prepared: Prepared, units: Units, block: Block) -> Batch:
        return self.bind(prepared).apply(prepared, units, block)

    def settings(self) -> dict[str, Any]:
        return {"name": self.name}

    @abstractmethod
    def row(self, row: Row, kept: np.ndarray, bound: BoundTextFill) -> Row:
        """Replace the removed tokens of a text.

        Args:
            row: the whole text, ``(T,)`` each.
            kept: ``(E,)`` bool, the elements to keep.
            bound: the fill bound to the text.
        """

    def string(self, kept: np.ndarray, bound: BoundTextFill) -> str:
        """Replace the removed elements of a text for an encoder of strings.

        Args:
            kept: ``(E,)`` bool, the elements to keep.
            bound: the fill bound to the text.
        """
        raise NotImplementedError


@dataclass(frozen=True, eq=False)
class BoundTextFill(Fill):
    """A fill bound to one text.

    Attributes:
        fill: the fill.
        layout: elements and tokens of the text.
        tokenizer: the encoder's tokenizer; ``None`` for an encoder of strings.
        seed: random seed of the fill.
    """

    fill: TextFill
    layout: Layout
    tokenizer: TextTokenizer | None
    seed: int = 0

    def settings(self) -> dict[str, Any]:
        return self.fill.settings()

    def apply(self, prepared: Prepared, units: Units, block: Block) -> Batch:
        return self._batch(self._rows(prepared, units, block))

    def encode(self, session: Runs, prepared: Prepared, units: Units, block: Block) -> Tensor:
        """Encode the text under the masks of a block, texts of similar length together, each distinct one once."""
        rows = self._rows(prepared, units, block)
        distinct: dict[Any, int] = {}
        place = [distinct.setdefault(row if isinstance(row, str) else row.key(), len(distinct)) for row in rows]
        first = dict(zip(place, rows, strict=True))
        order = sorted(first, key=lambda number: len(first[number]))
        longest = len(first[order[-1]])

        def step(chosen: slice) -> Tensor:
            return session(self._batch([first[number] for number in order[chosen]]))

        found = session.run(len(order), ("text", 1 << longest.bit_length()), step)
        back = torch.empty(len(order), dtype=torch.long)
        back[torch.tensor(order)] = torch.arange(len(order))
        return found[back[torch.tensor(place)].to(found.device)]

    def _rows(self, prepared: Prepared, units: Units, block: Block) -> list[Any]:
        """The text under each mask: strings, or rows of tokens."""
        kept = (units.masks(block) > KEPT).cpu().numpy()
        if self.layout.tokens is None:
            return [self.fill.string(one, self) for one in kept]
        whole = row_of(prepared)
        return [self.fill.row(whole, one, self) for one in kept]

    def _batch(self, rows: list[Any]) -> Batch:
        if self.layout.tokens is None:
            return rows
        return padded(
            rows, 0 if self.tokenizer is None else self.tokenizer.pad_id, bool(self.tokenizer and self.tokenizer.left)
        )

    def tokens_kept(self, kept: np.ndarray) -> np.ndarray:
        """Tokens of the kept elements and those outside all elements, ``(T,)`` bool."""
        tokens: np.ndarray = np.append(kept, True)[self.layout.element_of_token]
        return tokens

    def draws(self, kept: np.ndarray) -> np.random.Generator:
        """Random numbers that depend on the seed and the mask alone."""
        return np.random.default_rng([self.seed, zlib.crc32(np.packbits(kept).tobytes()), len(kept)])

    def assembled(self, parts: list[str | None]) -> str:
        """The text with each element replaced.

        Args:
            parts: for each element its replacement; ``None`` removes it and the space before it.
        """
        text, pieces, place = self.layout.text, [], 0
        for (start, stop), part in zip(self.layout.elements, parts, strict=True):
            between = text[place:start]
            pieces.append(between.rstrip() if part is None else between)
            pieces.append(part or "")
            place = stop
        return "".join([*pieces, text[place:]]).strip()


@dataclass(frozen=True)
class Dropped(TextFill):
    """Removed words are dropped; the positions of the others close up. Default; works with every encoder."""

    name = "dropped"

    def row(self, row: Row, kept: np.ndarray, bound: BoundTextFill) -> Row:
        return row[bound.tokens_kept(kept)]

    def string(self, kept: np.ndarray, bound: BoundTextFill) -> str:
        elements = zip(bound.layout.elements, kept, strict=True)
        return bound.assembled([bound.layout.text[start:stop] if keep else None for (start, stop), keep in elements])


@dataclass(frozen=True)
class MaskToken(TextFill):
    """Removed tokens are replaced by the tokenizer's mask token."""

    name = "mask-token"
    on_strings = False

    def bind(self, prepared: Prepared, by: Any = None, seed: int = 0) -> BoundTextFill:
        bound = super().bind(prepared, by, seed)
        if bound.tokenizer is None or bound.tokenizer.mask_id is None:
            raise ArgumentError("fill 'mask-token': the encoder's tokenizer has no mask token; use fill='dropped'")
        return bound

    def row(self, row: Row, kept: np.ndarray, bound: BoundTextFill) -> Row:
        mask = bound.tokenizer.mask_id if bound.tokenizer else None
        ids = np.where(bound.tokens_kept(kept), row.ids, -1 if mask is None else mask)
        return Row(ids, row.attention, row.types)


@dataclass(frozen=True)
class PadToken(TextFill):
    """Removed tokens become padding: no token attends to them, and the others keep their positions."""

    name = "pad-token"
    on_strings = False

    def row(self, row: Row, kept: np.ndarray, bound: BoundTextFill) -> Row:
        keep = bound.tokens_kept(kept)
        pad = bound.tokenizer.pad_id if bound.tokenizer else 0
        return Row(np.where(keep, row.ids, pad), np.where(keep, row.attention, 0), row.types)


@dataclass(frozen=True)
class Drawn(TextFill):
    """Each removed word is replaced by a word of the text, drawn at random."""

    name = "drawn"

    def row(self, row: Row, kept: np.ndarray, bound: BoundTextFill) -> Row:
        owner = bound.layout.element_of_token
        tokens = [np.flatnonzero(owner == element) for element in range(len(kept))]
        order, done = [], set()
        sources = self._sources(kept, bound)
        for token, element in enumerate(owner):
            if element == len(kept) or kept[element]:
                order.append(np.array([token]))
            elif element not in done:
                order.append(tokens[sources[element]])
                done.add(element)
        return row[np.concatenate(order)]

    def string(self, kept: np.ndarray, bound: BoundTextFill) -> str:
        text, elements = bound.layout.text, bound.layout.elements
        return bound.assembled([text[slice(*elements[source])] for source in self._sources(kept, bound)])

    @staticmethod
    def _sources(kept: np.ndarray, bound: BoundTextFill) -> np.ndarray:
        """The element whose words stand at each element, ``(E,)``."""
        drawn = bound.draws(kept).integers(0, len(kept), len(kept))
        return np.where(kept, np.arange(len(kept)), drawn)
