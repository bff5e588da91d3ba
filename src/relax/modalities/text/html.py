"""Explained texts as self-contained HTML, for browsers and notebooks."""

from __future__ import annotations

from html import escape

from relax._support.figures import unescaped
from relax.modalities.showing import title_of
from relax.modalities.shown import Shown
from relax.modalities.text.shading import Piece, cut_of, pieces_of, scale_of, value_of

THICKEST = 5
"""Thickness of the line under the strongest word, in pixels."""

UNDERLINED = 0.1
"""Share of the largest effect from which a word is underlined."""

STYLE = """
.relax-text { background: #fff; color: #111; font: 16px/2.1 system-ui, sans-serif; padding: 1em; max-width: 60em; }
.relax-text .words { white-space: pre-wrap; overflow-wrap: anywhere; }
.relax-text .unit { border-radius: 3px; padding: 1px 0; cursor: help; position: relative; }
.relax-text .unit:hover::after, .relax-text .unit:focus::after { content: attr(data-value); position: absolute; left: 0;
  top: 1.9em; z-index: 1; background: #222; color: #fff; font-size: 12px; line-height: 1.4; padding: 4px 8px;
  border-radius: 4px; white-space: nowrap; direction: ltr; }
.relax-text .legend { display: flex; align-items: center; gap: .6em; font-size: 13px; line-height: 1.4; color: #333;
  flex-wrap: wrap; }
.relax-text .bar { width: 12em; height: 1em; border: 1px solid #999; }
.relax-text table { font-size: 14px; line-height: 1.6; border-collapse: collapse; margin: 1em 0; }
.relax-text th, .relax-text td { text-align: start; padding: 0 1.2em 0 0; }
.relax-text .about { font-size: 13px; line-height: 1.5; color: #333; }
"""


def html_of(explanation: Shown) -> str:
    """An explained text: shaded words, a legend, and the values of each word under the pointer.

    Without colours, the line under a word says the same: the thicker, the stronger; dotted where the word lowers the
    score.

    Args:
        explanation: explanation of a text.

    Returns:
        A fragment of HTML with its own style; it needs no network and no script.
    """
    scale = scale_of(explanation)
    title = escape(unescaped(title_of(explanation)))
    cut = cut_of(explanation)
    title += f" · <strong>{cut}</strong>" if cut else ""
    return framed(
        f'<p class="about">{title}</p>{words(explanation, scale)}{legend(scale, explanation.measures["importance"])}'
    )


def framed(content: str) -> str:
    """HTML in the style of explained texts."""
    return f'<div class="relax-text"><style>{STYLE}</style>{content}</div>'


def words(explanation: Shown, scale: float) -> str:
    """The shaded text.

    Args:
        explanation: explanation of a text.
        scale: end of the colour scale.
    """
    parts = [_part(piece, explanation) for piece in pieces_of(explanation, scale)]
    return f'<p class="words" dir="auto">{"".join(parts)}</p>'


def legend(scale: float, measure: str) -> str:
    """The colour scale with its ends and unit.

    Args:
        scale: end of the colour scale.
        measure: what the importance measures.
    """
    stops = ",".join(f"rgb{color}" for color in _ramp())
    return (
        f'<div class="legend"><span>{-scale:.3g}</span><span class="bar" style="background:linear-gradient(to right,'
        f'{stops})"></span><span>+{scale:.3g}</span><span>change of the {escape(measure)} when the words are there '
        "(red and solid: raises it; blue and dotted: lowers it)</span></div>"
    )


def _part(piece: Piece, explanation: Shown) -> str:
    text = escape(piece.text)
    if piece.unit is None:
        return text
    width = THICKEST * abs(piece.share) if abs(piece.share) >= UNDERLINED else 0.0
    line = f"{width:.1f}px {'dotted' if piece.share < 0 else 'solid'}"
    style = f"background:rgb{piece.color};color:{piece.ink};border-bottom:{line} #333"
    value = escape(value_of(explanation, piece.unit))
    return f'<span class="unit" tabindex="0" style="{style}" data-value="{value}">{text}</span>'


def _ramp() -> list[tuple[int, int, int]]:
    return [Piece("", 0, share).color for share in (-1.0, -0.5, 0.0, 0.5, 1.0)]
