"""The text modality."""

from __future__ import annotations

import copy
import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from relax._support.warning import warn
from relax.errors import ArgumentError, InputError
from relax.modalities.base import Modality
from relax.modalities.batches import Batch
from relax.modalities.cells import Cells
from relax.modalities.files import not_found
from relax.modalities.fills import Background, Fill
from relax.modalities.kernels import gaussian
from relax.modalities.prepared import Prepared
from relax.modalities.shown import Shown
from relax.modalities.text.batching import ATTENTION, IDS, TYPES, padded, row_of, trimmed
from relax.modalities.text.layout import Layout, owners, removable
from relax.modalities.text.masks import SentenceMasks, TextMasks, WordMasks, layout_of
from relax.modalities.text.passages import passages_of
from relax.modalities.text.segmentation import Span, sentences, words
from relax.modalities.text.tokenizer import TextTokenizer
from relax.modalities.text.windows import Windows
from relax.modalities.units import Masks

if TYPE_CHECKING:
    from matplotlib.figure import Figure

ALIASES = {"drop": "dropped", "mask": "mask-token", "pad": "pad-token", "draw": "drawn"}
"""Short names of fills."""

LONG = 48
"""Number of words above which sentences are removed, too."""

MOST_WORDS = 700
"""Number of words above which only sentences are removed, if there are enough of them."""

FEWEST = 16
"""Fewest sentences that alone are worth a map."""

LENGTH = 2.0
"""Length scale of the smooth kernel, in words."""

NAME = 48
"""Number of characters of a text that serve as its name."""

_SPACE = re.compile(r"\s")

SUFFIXES = (".txt", ".md", ".rst")
"""Suffixes of text files in a folder."""


class Text(Modality):
    """Texts: a string is a text, a ``Path`` a text file in UTF-8.

    The preprocessing is a tokenizer: a fast one of transformers, or one of ``tokenizers``. Without one the encoder is
    called with a list of strings, and masks remove words from the string.

    A map has one value for each element: each word, or each part of the finest kind of masks (tokens, sentences, ...).
    """

    name = "text"
    method = "relax-regression"
    default_masks = "words"
    default_fill = "dropped"
    several_fills = ("dropped",)
    enumerated = 1024
    fewest_masks = 128
    differentiable = False
    cards = False
    suffixes = SUFFIXES

    def __init__(self, transform: Any = None, *, patch: int | None = None) -> None:
        if transform is not None and not isinstance(transform, TextTokenizer):
            transform = TextTokenizer(transform)
        super().__init__(transform, patch=patch)

    def prepare(self, source: Any) -> Prepared:
        if isinstance(source, Prepared):
            return source
        text, provenance = _read(source)
        if not text.strip():
            raise InputError(f"{provenance['source']}: expected a text, got an empty one")
        layout = Layout(text, ())
        inputs: dict[str, Any] = {"text": text}
        if self.transform is not None:
            tokens = self.transform(text)
            if tokens.n_cut:
                total = len(tokens.ids) + tokens.n_cut
                share = tokens.n_cut / total
                warn(
                    f"{provenance['name']}: {total} tokens, but the encoder takes {len(tokens.ids)}; the last "
                    f"{tokens.n_cut} ({share:.0%}) are cut off and not explained; long='windows' (--long windows) "
                    "encodes all of it"
                )
                provenance["tokens_cut"] = tokens.n_cut
            seen = text if not tokens.n_cut else _start_of(text, int(tokens.spans.max()))
            layout = Layout(seen, (), tokens.spans, tokens.fixed)
            inputs = {IDS: torch.from_numpy(tokens.ids), ATTENTION: torch.ones(len(tokens.ids), dtype=torch.long)}
            if TYPES in self.transform.names:
                inputs[TYPES] = torch.from_numpy(tokens.types)
        return self._divided(Prepared(inputs, text, layout, source=provenance), (WordMasks(),))

    def divided(self, prepared: Prepared, masks: Sequence[Masks]) -> Prepared:
        """The text with the parts of the finest masks as elements of its maps."""
        kinds = tuple(kind for kind in masks if isinstance(kind, TextMasks))
        return self._divided(prepared, kinds) if kinds else prepared

    def _divided(self, prepared: Prepared, kinds: Sequence[TextMasks]) -> Prepared:
        layout = layout_of(prepared)
        elements = max((removable(kind.parts(layout), layout) for kind in kinds), key=len)
        if not elements:
            raise InputError(f"{layout.text[:NAME]!r}: has no {kinds[0].kind} to remove; use other masks")
        return replace(
            prepared,
            geometry=replace(layout, elements=tuple(elements)),
            labels=tuple(layout.text[start:stop] for start, stop in elements),
            spans=tuple(elements),
        )

    def kinds(self, prepared: Prepared) -> tuple[Masks, ...]:
        """Words; words and sentences of a long text; sentences alone of a very long one."""
        layout = layout_of(prepared)
        text = layout.text
        n_words = len(removable(words(text), layout))
        n_sentences = len(removable(sentences(text), layout))
        if n_words > MOST_WORDS and n_sentences >= FEWEST:
            return (SentenceMasks(),)
        several = n_words > LONG and n_sentences > 1
        return (WordMasks(), SentenceMasks()) if several else (WordMasks(),)

    def cells(self, prepared: Prepared) -> Cells:
        """One cell for each element, with effects that are independent, shared by neighbours, or by a sentence."""
        layout = layout_of(prepared)
        n = len(layout.elements)
        places = torch.arange(n, dtype=torch.float64)[:, None]
        sentence = torch.from_numpy(owners(layout.elements, sentences(layout.text)))
        kernels = {
            "independent": torch.eye(n, dtype=torch.float64),
            "neighbours": gaussian(places, LENGTH),
            "sentence": (sentence[:, None] == sentence).double(),
        }
        return Cells((n,), (n,), kernels, unit=(1.0,))

    def fill(self, fill: Any) -> Fill:
        """Resolve a fill; see :mod:`relax.modalities.text.fills`."""
        resolved = ALIASES.get(fill, fill) if isinstance(fill, str) else fill
        if isinstance(resolved, Fill) and not isinstance(resolved, Background):
            return super().fill(resolved)
        if resolved is None or resolved in ALIASES.values():
            return super().fill(resolved)
        raise ArgumentError(f"texts have the fills {', '.join(sorted(ALIASES.values()))}, got {fill!r}")

    def split(self, inputs: Any) -> list[Any] | None:
        """Split a list, a tuple or an array of texts; ``None`` for one text."""
        if isinstance(inputs, np.ndarray) and inputs.ndim == 1:
            return [str(item) for item in inputs]
        return super().split(inputs)

    def passages(self, source: Any) -> list[tuple[Span | None, Any]]:
        """Passages of whole sentences; a short text is one."""
        text, provenance = _read(source)
        if not text.strip():
            raise InputError(f"{provenance['source']}: expected a text, got an empty one")
        return [((start, stop), text[start:stop]) for start, stop in passages_of(text)]

    def of_cell(self, value: Any, folder: Path) -> Any:
        """The text in a cell of a table; the path of a text file stays one."""
        if isinstance(value, PathLike):
            return value
        if not isinstance(value, str) or not value.strip():
            raise InputError(f"expected a text in this cell, got {'an empty one' if value == '' else repr(value)[:40]}")
        return value

    def probe(self, shape: tuple[int, ...] | None = None) -> str:
        return "The quick brown fox jumps over the lazy dog, 42 times a day."

    def collate(self, inputs: Sequence[Prepared]) -> Batch:
        """A list of strings, or tokens padded to the longest text."""
        if IDS not in inputs[0].inputs:
            return [item.inputs["text"] for item in inputs]
        return padded([row_of(item) for item in inputs], self.transform.pad_id, self.transform.left)

    def trimmed(self, batch: Batch) -> Batch:
        """The batch without columns of padding alone."""
        return trimmed(dict(batch)) if isinstance(batch, Mapping) else batch

    def size(self, prepared: Prepared) -> int:
        """Number of tokens or characters: texts of similar size are encoded together."""
        return len(prepared.inputs[IDS]) if IDS in prepared.inputs else len(prepared.inputs["text"])

    def windows(self, batch: Batch) -> Windows | None:
        """Texts longer than the encoder takes, in windows; ``None`` if all fit, or are cut."""
        window = None if self.transform is None else self.transform.window
        return window.divided(dict(batch)) if window is not None and isinstance(batch, Mapping) else None

    def in_windows(self) -> Text:
        """This modality for an encoder that reads long texts in windows."""
        if self.transform is None or self.transform.max_length is None:
            raise ArgumentError("long='windows' needs an encoder with a tokenizer that says how much it takes")
        clone = copy.copy(self)
        clone.transform = self.transform.in_windows()
        return clone

    def call(self, model: Any, batch: Batch) -> Any:
        """Call the model with strings, or with the inputs that its tokenizer names."""
        if isinstance(batch, Mapping):
            names = self.transform.names if self.transform is not None else tuple(batch)
            return model(**{name: tensor for name, tensor in batch.items() if name in names})
        return model(list(batch))

    def attended(self, batch: Batch) -> Tensor | None:
        """``(N, T)``, 1 for tokens, 0 for padding."""
        return batch[ATTENTION] if isinstance(batch, Mapping) else None

    def map_shape(self, prepared: Prepared) -> tuple[int, ...]:
        return (len(layout_of(prepared).elements),)

    @staticmethod
    def show(explanation: Shown) -> Figure:
        from relax.modalities.text.showing import plot_text

        return plot_text(explanation)

    @staticmethod
    def show_pair(a: Shown, b: Shown, similarity: float, interactions: Any) -> Figure:
        """Both texts on one colour scale, and which word answers which."""
        from relax.modalities.text.pairs import plot_pair

        return plot_pair(a, b, similarity, interactions)

    @classmethod
    def page_of_pair(cls, a: Shown, b: Shown, similarity: float, interactions: Any) -> str:
        """Both texts with the values of their words under the pointer, and which word answers which."""
        from relax.modalities.text.pairs import html_of_pair

        return html_of_pair(a, b, similarity, interactions)

    @classmethod
    def page(cls, explanation: Shown) -> str:
        """Shaded words with their values under the pointer."""
        from relax.modalities.text.html import html_of

        return html_of(explanation)


def _start_of(text: str, stop: int) -> str:
    """The text to the end of the word at ``stop``: what comes after it is not seen, and need not be segmented."""
    space = _SPACE.search(text, stop)
    return text if space is None else text[: space.start()]


def _read(source: Any) -> tuple[str, dict[str, Any]]:
    """A text and its provenance."""
    if isinstance(source, str):
        text, origin, name = source, "text", " ".join(source.split())
        name = name if len(name) <= NAME else name[: NAME - 1] + "…"
    elif isinstance(source, PathLike):
        path = Path(source)
        origin, name = str(path), path.name
        try:
            text = path.read_text(encoding="utf-8-sig")
        except UnicodeDecodeError as error:
            raise InputError(
                f"{path}: expected UTF-8, got byte {error.object[error.start]:#x} at {error.start}"
            ) from None
        except FileNotFoundError:
            raise not_found(path) from None
        except OSError as error:
            raise InputError(f"{path}: cannot be read: {error.strerror or error}") from error
    else:
        raise InputError(f"expected a text or the path of a text file, got {type(source).__name__}")
    try:
        digest = hashlib.sha256(text.encode()).hexdigest()
    except UnicodeEncodeError as error:
        raise InputError(f"{name!a}: expected Unicode text, got a lone surrogate at {error.start}") from None
    return text, {"source": origin, "name": name, "sha256": digest, "characters": len(text)}
