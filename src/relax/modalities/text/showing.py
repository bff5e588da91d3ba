"""Figures of explained texts."""

from __future__ import annotations

import unicodedata
import warnings
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib import font_manager
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from relax._support.figures import lay_out, literal
from relax.modalities.showing import title_of
from relax.modalities.shown import Shown
from relax.modalities.text.shading import Piece, cut_of, effects_of, scale_of, strongest, taken

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes

COLUMNS = 110
"""Width of the text in characters of a Latin script."""

LINES = 40
"""Maximum number of lines of text; a longer text is cut, and the figure says so."""

MOST = 3 * LINES * COLUMNS
"""Number of characters that certainly fill the figure."""

BARS = 15
"""Maximum number of words with a bar."""

FAMILIES = ("DejaVu Sans", "Noto Sans", "Noto Sans CJK SC", "Noto Sans CJK JP", "WenQuanYi Zen Hei", "Noto Emoji")
"""Fonts in the order in which they are tried for a character, those that are installed."""

LINE = 0.27
"""Height of a line in inches."""


def plot_text(explanation: Shown) -> Figure:
    """Plot the text with shaded words, and below it the strongest words with their standard errors.

    Red words raise the score, blue words lower it; white words have no effect.

    Args:
        explanation: explanation of a text.
    """
    rows, cut = lines_of(taken(explanation))
    bars = strongest(explanation, BARS)
    heights = (0.35 + LINE * len(rows), 0.7 + 0.24 * len(bars))
    figure = Figure(figsize=(9.5, sum(heights) + 0.6), layout="constrained", dpi=110)
    FigureCanvasAgg(figure)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from")  # shown as a box
        above, below = panels(figure, heights)
        draw_text(above, rows, str(explanation.presentation), cut_of(explanation) or "the text", cut)
        _bars(below, explanation, bars)
        figure.suptitle(title_of(explanation), fontsize=10)
        lay_out(figure)
    return figure


def panels(figure: Figure, heights: Sequence[float]) -> list[Axes]:
    """Axes one below the other; long labels at one of them do not make the text in another narrower.

    Args:
        figure: where to draw.
        heights: height of each, in inches.
    """
    parts = figure.subfigures(len(heights), 1, height_ratios=heights, squeeze=False)[:, 0]
    return [part.subplots() for part in parts]


def draw_text(axes: Axes, rows: list[list[Piece]], text: str, title: str, cut: bool) -> None:
    """Draw lines of pieces, each word on its colour.

    Args:
        axes: where to draw.
        rows: the lines.
        text: the whole text, for its direction.
        title: title of the text.
        cut: whether the text goes on.
    """
    right_to_left = _right_to_left(text)
    axes.set_xlim(0, COLUMNS)
    axes.set_ylim(len(rows), 0)
    axes.axis("off")
    axes.set_title(literal(title + (f", first {LINES} lines" if cut else "")), fontsize=9, loc="left")
    fonts = families()
    for number, row in enumerate(rows):
        place = 0.0
        for piece in row:
            width = _width(piece.text)
            left = COLUMNS - place - width if right_to_left else place
            if piece.unit is not None:
                background = [part / 255 for part in piece.color]
                axes.fill(
                    [left, left + width, left + width, left],
                    [number + 0.08] * 2 + [number + 0.92] * 2,
                    color=background,
                )
            ink = piece.ink if piece.unit is not None else "black"
            middle: dict[str, Any] = {"ha": "center", "va": "center", "fontsize": 9, "family": fonts}
            axes.text(left + width / 2, number + 0.5, literal(piece.text), color=ink, **middle)
            place += width


def _bars(axes: Axes, explanation: Shown, bars: list[int]) -> None:
    """A bar for each of the strongest words."""
    effect, rows = effects_of(explanation)[bars], np.arange(len(bars))
    error = explanation.standard_error
    lines = None if error is None or not np.isfinite(error[bars]).all() else error[bars]
    scale = scale_of(explanation)
    colors = [tuple(part / 255 for part in Piece("", 0, float(value) / scale).color) for value in effect]
    axes.barh(rows, effect, color=colors, edgecolor="0.4", xerr=lines, ecolor="0.2", capsize=2)
    labels = [" ".join((explanation.labels or ())[number].split()) for number in bars]
    names = [label if len(label) <= 40 else label[:39] + "…" for label in labels]
    axes.set_yticks(rows, [literal(name) for name in names], fontsize=8, family=families())
    axes.invert_yaxis()
    axes.axvline(0, color="0.2", linewidth=0.8)
    axes.tick_params(axis="x", labelsize=8)
    exact = lines is not None and not lines.any()
    note = (
        "exact: all masks were tried"
        if exact
        else "lines: standard error"
        if lines is not None
        else "no standard error"
    )
    axes.set_xlabel(f"change of the {explanation.measures['importance']} when the words are there ({note})", fontsize=8)


def lines_of(pieces: list[Piece]) -> tuple[list[list[Piece]], bool]:
    """Break a text into lines: at its line ends, and between words where a line is full.

    Args:
        pieces: the text, cut at the borders of its units.

    Returns:
        At most ``LINES`` lines, and whether there are more.
    """
    rows: list[list[Piece]] = [[]]
    used = 0.0
    for piece in pieces:
        whole = replace(piece, text=piece.text[:MOST])  # a book after the part that is explained
        for number, part in enumerate(_parts(whole)):
            if number and "\n" in piece.text and part.unit is None and not part.text:
                rows.append([])
                used = 0.0
                continue
            width = _width(part.text)
            if used and used + width > COLUMNS:
                rows.append([])
                used = 0.0
                if not part.text.strip():
                    continue
            rows[-1].append(part)
            used += width
    found = [row for row in rows if row] or [[]]
    return found[:LINES], len(found) > LINES


def _parts(piece: Piece) -> list[Piece]:
    """A piece cut into words that fit a line; line ends between units become empty pieces."""
    found: list[Piece] = []
    lines = piece.text.split("\n")
    for number, line in enumerate(lines):
        if number and piece.unit is None:
            found.append(Piece(""))
        words = [line] if len(line) <= 30 else [word for word in line.replace(" ", " \0").split("\0") if word]
        found += [Piece(word.replace("\n", " "), piece.unit, piece.share) for word in words if word]
        if number < len(lines) - 1 and piece.unit is not None:
            found.append(Piece(" ", piece.unit, piece.share))
    return found


def _width(text: str) -> float:
    """Approximate width of a text in Latin characters."""
    total = 0.0
    for letter in text:
        if unicodedata.combining(letter) or unicodedata.category(letter) == "Cf":
            continue
        wide = unicodedata.east_asian_width(letter) in "WF"
        total += (
            1.9
            if wide
            else 1.5
            if letter in "mwMW%@—…"
            else 1.35
            if letter.isupper() or letter in "=+<>#&~^"
            else 0.62
            if letter in " iljtfI.,;:'!|()[]"
            else 1.05
        )
    return total


def _right_to_left(text: str) -> bool:
    """Whether the first letter with a direction is of a script that runs from right to left."""
    directions = (unicodedata.bidirectional(letter) for letter in text)
    return next((direction != "L" for direction in directions if direction in ("L", "R", "AL")), False)


def families() -> list[str]:
    """Installed fonts, in the order in which they are tried for a character."""
    installed = {font.name for font in font_manager.fontManager.ttflist}
    return [family for family in FAMILIES if family in installed] or ["sans-serif"]
