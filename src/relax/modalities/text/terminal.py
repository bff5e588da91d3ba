"""Explained texts in a terminal: shaded words, then the strongest ones with their values."""

from __future__ import annotations

from typing import Any

from relax._support.joiners import JOINERS
from relax.modalities.shown import Shown
from relax.modalities.text.shading import scale_of, strongest, taken, value_of

LISTED = 5
"""Number of words that are listed with their values."""


def text_of(explanation: Shown, scale: float | None = None) -> Any:
    """The shaded text as a ``rich.text.Text``; without colours the strongest words are still listed.

    Args:
        explanation: explanation of a text.
        scale: end of the colour scale; ``None`` for the text's own largest effect.
    """
    from rich.text import Text

    shaded = Text()
    for piece in taken(explanation, scale_of(explanation) if scale is None else scale):
        text = _safe(piece.text)
        if piece.unit is None:
            shaded.append(text)
        else:
            shaded.append(text, style=f"{piece.ink} on rgb({','.join(map(str, piece.color))})")
    for number in strongest(explanation, LISTED):
        label = _safe((explanation.labels or ())[number])
        shaded.append(
            f"\n  {' '.join(label.split())[:40]:<24} {value_of(explanation, number)}", style="default on default"
        )
    return shaded


def _safe(text: str) -> str:
    """A text without control characters but line ends and joiners, such as those of an emoji of several."""
    return "".join(letter if letter.isprintable() or letter == "\n" or letter in JOINERS else " " for letter in text)
