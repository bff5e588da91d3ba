"""The words of an explained text with their values and colours, for every way to show them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from relax.modalities.shown import Shown

RAISES = (178, 24, 43)
"""Colour of the word that raises the score most, (red, green, blue)."""

LOWERS = (33, 102, 172)
"""Colour of a word that lowers the score as much."""

STRONGEST = 0.85
"""Share of the full colour at the end of the scale; the text stays readable."""

TAIL = 120
"""Number of characters that are shown of the part that the encoder does not take."""

ROUNDING = 1e-9
"""Effects below this are rounding errors and stay white."""


@dataclass(frozen=True)
class Piece:
    """A part of the text: a unit, or what stands between units.

    Attributes:
        text: the part as it is written.
        unit: index of the unit; ``None`` between units.
        share: effect over the largest effect, in [−1, 1].
    """

    text: str
    unit: int | None = None
    share: float = 0.0

    @property
    def color(self) -> tuple[int, int, int]:
        """Background, from white at no effect to red for raising and blue for lowering the score."""
        target, strength = RAISES if self.share > 0 else LOWERS, STRONGEST * abs(self.share)
        return tuple(round(255 + (part - 255) * strength) for part in target)  # type: ignore[return-value]

    @property
    def ink(self) -> str:
        """Colour of the letters, ``"black"`` or ``"white"``."""
        red, green, blue = self.color
        return "white" if 0.299 * red + 0.587 * green + 0.114 * blue < 128 else "black"


def effects_of(explanation: Shown) -> np.ndarray:
    """Effect of each unit; 0 where there is none, or where U-RELAX found it too uncertain and set it to 0."""
    effect = np.nan_to_num(np.asarray(explanation.effect, dtype=np.float64))
    if explanation.settings["method"] == "u-relax" and not explanation.signed:
        return np.where(explanation.importance == 0, 0.0, effect)
    return effect


def scale_of(*explanations: Shown) -> float:
    """The largest absolute effect of all units, the end of a shared colour scale."""
    return max(max(float(np.max(np.abs(effects_of(e)), initial=0.0)) for e in explanations), ROUNDING)


def pieces_of(explanation: Shown, scale: float | None = None) -> list[Piece]:
    """The whole text, cut at the borders of its units.

    Args:
        explanation: explanation of a text.
        scale: end of the colour scale; ``None`` for the text's own largest effect.
    """
    text = str(explanation.presentation or "")
    spans: Sequence[tuple[int, int]] = explanation.spans or ()
    scale = scale_of(explanation) if scale is None else scale
    pieces: list[Piece] = []
    effects, place = effects_of(explanation), 0
    for number, (start, stop) in enumerate(spans):
        if start > place:
            pieces.append(Piece(text[place:start]))
        share = float(effects[number]) / scale
        pieces.append(Piece(text[start:stop], number, float(np.clip(share, -1, 1))))
        place = stop
    return [*pieces, Piece(text[place:])] if place < len(text) else pieces


def taken(explanation: Shown, scale: float | None = None) -> list[Piece]:
    """The pieces, but of a part that the encoder does not take only the first ``TAIL`` characters and an ellipsis.

    Args:
        explanation: explanation of a text.
        scale: end of the colour scale; ``None`` for the text's own largest effect.
    """
    pieces = pieces_of(explanation, scale)
    if not cut_of(explanation) or not pieces or pieces[-1].unit is not None or len(pieces[-1].text) <= TAIL:
        return pieces
    return [*pieces[:-1], Piece(pieces[-1].text[:TAIL] + "…")]


def strongest(explanation: Shown, n: int) -> list[int]:
    """Indices of the ``n`` units with the largest absolute effects, the strongest first."""
    order = np.argsort(-np.abs(effects_of(explanation)), kind="stable")
    return [int(number) for number in order[:n]]


def value_of(explanation: Shown, number: int) -> str:
    """Effect of one unit with its standard error, and its uncertainty: ``+0.123 ± 0.004, uncertainty 0.01``."""
    text = f"{effects_of(explanation)[number]:+.4f}"
    if explanation.standard_error is not None and np.isfinite(explanation.standard_error[number]):
        error = float(explanation.standard_error[number])
        text += " (exact)" if error == 0 else f" ± {error:.4f}"
    if explanation.uncertainty is not None:
        text += f", uncertainty {float(explanation.uncertainty[number]):.4f}"
    return text


def cut_of(explanation: Shown) -> str:
    """A remark on a text that the encoder does not take whole; empty for others."""
    n_cut = explanation.settings["input"].get("tokens_cut")
    return f"the end of the text, {n_cut} tokens, was cut off and is not explained" if n_cut else ""
