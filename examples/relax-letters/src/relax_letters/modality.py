"""The modality: a text is the letters of its words."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure
from torch import Tensor

import relax

ALPHABET = "abcdefghijklmnopqrstuvwxyz"
WORD = re.compile(r"[A-Za-z][A-Za-z']*")


class Letters(relax.Modality):
    """Texts as bags of letters: the encoder is called with counts of a to z, ``(N, 26)``; words are the units.

    A prepared text is a table, ``(26, words)``: one column of counts a word. Masks remove columns, and :meth:`call`
    adds up those that are left.
    """

    name = "letters"
    default_masks = "letter-words"

    def prepare(self, source: Any) -> relax.Prepared:
        if isinstance(source, relax.Prepared):
            return source
        if not isinstance(source, str):
            raise relax.InputError(f"expected a text, got {type(source).__name__}")
        words = list(WORD.finditer(source))
        if not words:
            raise relax.InputError(f"{source[:40]!r}: has no letters from a to z")
        counts = [[word.group().lower().count(letter) for word in words] for letter in ALPHABET]
        return relax.Prepared(
            {"letters": torch.tensor(counts, dtype=torch.float32)},
            presentation=source,
            labels=tuple(word.group() for word in words),
            spans=tuple(word.span() for word in words),
            source={"source": textwrap.shorten(source, 60), "words": len(words)},
        )

    def collate(self, inputs: Sequence[relax.Prepared]) -> Tensor:
        """Texts of any number of words: columns of zeros follow the last word of the shorter ones."""
        longest = max(one.tensor.shape[1] for one in inputs)
        padded = [torch.nn.functional.pad(one.tensor, (0, longest - one.tensor.shape[1])) for one in inputs]
        return torch.stack(padded)

    def call(self, model: Callable[..., Any], batch: Any) -> Any:
        """The model's output for the counts of whole texts."""
        return model(batch.sum(-1))

    def fill(self, fill: Any) -> relax.Fill:
        """A removed word leaves nothing: ``"mean"`` is ``"zero"`` here."""
        return super().fill("zero" if fill is None or (isinstance(fill, str) and fill == "mean") else fill)

    def to_map(self, attribution: Tensor) -> Tensor:
        """From one value a letter of a word to one value a word."""
        return attribution.sum(0)

    @staticmethod
    def show(explanation: Any) -> Figure:
        """A bar a word: to the right, showing the word raises the score."""
        labels = explanation.labels or [str(n) for n in range(len(explanation.importance))]
        rows = np.arange(len(labels))
        figure = Figure(figsize=(6, 1.6 + 0.3 * len(labels)), layout="constrained", dpi=110)
        axes = figure.subplots()
        colors = np.where(explanation.effect >= 0, "#b2182b", "#2166ac").tolist()
        axes.barh(rows, explanation.effect, color=colors, xerr=explanation.standard_error, ecolor="0.2", capsize=2)
        axes.set_yticks(rows, labels, parse_math=False)
        axes.invert_yaxis()
        axes.axvline(0, color="0.2", linewidth=0.8)
        axes.set_xlabel(f"change of the {explanation.measures['importance']}, with its standard error where known")
        axes.set_title(f"{explanation.settings['method']} of {explanation.settings['encoder'].get('name')}")
        return figure
