"""Two texts explained against each other: shaded words on both, and which word answers which."""

from __future__ import annotations

import warnings
from html import escape
from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from relax._support.figures import lay_out, literal
from relax.modalities.showing import called
from relax.modalities.shown import Shown
from relax.modalities.text.html import framed, legend, words
from relax.modalities.text.shading import scale_of, taken
from relax.modalities.text.showing import LINE, draw_text, families, lines_of, panels

CLEAR = 2.0
"""Number of standard errors from which an interaction counts as found."""

ANSWERED = 5
"""Number of words of the first text whose answers are listed."""

SHOWN = 24
"""Maximum number of words of each text in the figure of interactions."""


def html_of_pair(a: Shown, b: Shown, similarity: float, interactions: Any) -> str:
    """Two texts as self-contained HTML, on one colour scale.

    Args:
        a: explanation of the first text against the second.
        b: explanation of the second text against the first.
        similarity: similarity of their representations.
        interactions: interactions of their words; ``None`` if they were not estimated.
    """
    scale = scale_of(a, b)
    parts = [f'<p class="about">{escape(_title(a, similarity))}</p>', words(a, scale), words(b, scale)]
    parts.append(legend(scale, a.measures["importance"]))
    if interactions is not None:
        parts.append(_table(a, interactions))
    return framed("".join(parts))


def plot_pair(a: Shown, b: Shown, similarity: float, interactions: Any) -> Figure:
    """Plot two texts on one colour scale, and the interactions of their strongest words.

    Args:
        a: explanation of the first text against the second.
        b: explanation of the second text against the first.
        similarity: similarity of their representations.
        interactions: interactions of their words; ``None`` omits them.
    """
    scale = scale_of(a, b)
    flows = [lines_of(taken(e, scale)) for e in (a, b)]
    heights = [0.35 + LINE * len(rows) for rows, _ in flows]
    if interactions is not None:
        heights.append(0.9 + 0.24 * min(len(a.importance), SHOWN))
    figure = Figure(figsize=(9.5, sum(heights) + 0.7), layout="constrained", dpi=110)
    FigureCanvasAgg(figure)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from")  # shown as a box
        axes = panels(figure, heights)
        for place, e, (rows, cut), name in zip(axes, (a, b), flows, "ab", strict=False):
            draw_text(place, rows, str(e.presentation), f"{name}: {called(e.settings['input'])}", cut)
        if interactions is not None:
            _interactions(axes[2], a, b, interactions)
        red = f"red words bring the two together, blue ones apart; full colour: ±{scale:.3g}"
        figure.suptitle(literal(f"{_title(a, similarity)}   ·   {red}"), fontsize=9)
        lay_out(figure)
    return figure


def _interactions(axes: Any, a: Shown, b: Shown, interactions: Any) -> None:
    """Matrix of the words with the largest effects, in the order of the texts; unclear ones are blank."""
    rows, columns = (np.sort(np.argsort(-e.effect, kind="stable")[:SHOWN]) for e in (a, b))
    values = interactions.values[np.ix_(rows, columns)]
    unclear = np.abs(values) < CLEAR * interactions.standard_error[np.ix_(rows, columns)]
    peak = float(np.abs(values).max()) or 1.0
    image = axes.imshow(np.where(unclear, np.nan, values), cmap="RdBu_r", vmin=-peak, vmax=peak, aspect="auto")
    for setter, e, chosen, turned in ((axes.set_yticks, a, rows, 0), (axes.set_xticks, b, columns, 60)):
        labels = [literal(" ".join((e.labels or ())[number].split())[:24]) for number in chosen]
        setter(range(len(chosen)), labels, fontsize=8, family=families(), rotation=turned)
    axes.set_title("which word of b (columns) answers which of a (rows)", fontsize=9, loc="left")
    bar = axes.figure.colorbar(image, ax=axes, fraction=0.03, pad=0.01)
    bar.set_label(f"interaction (blank: within {CLEAR:.0f} standard errors)", fontsize=7)
    bar.ax.tick_params(labelsize=7)


def _table(a: Shown, interactions: Any) -> str:
    rows = []
    for row in interactions.answers(a.effect, ANSWERED):
        clear = row["interaction"] >= CLEAR * row["standard_error"] and row["interaction"] > 0
        answer = escape(str(row["answer"])) if clear else "nothing clear"
        error = "exact" if row["standard_error"] == 0 else f"± {row['standard_error']:.4f}"
        cells = (escape(str(row["cell"])), answer, f"{row['interaction']:+.4f}", error)
        rows.append("<tr>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>")
    head = "<tr><th>word of the first text</th><th>answered by</th><th>interaction</th><th></th></tr>"
    return f"<table>{head}{''.join(rows)}</table>"


def _title(a: Shown, similarity: float) -> str:
    return f"{a.measures['importance']} {similarity:.3f}   ·   {a.settings['encoder'].get('name')}"
