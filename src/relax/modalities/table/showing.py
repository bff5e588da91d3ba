"""Figures of explained rows of tables."""

from __future__ import annotations

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from relax._support.figures import literal
from relax.modalities.pointer import read_bars, said
from relax.modalities.showing import title_of
from relax.modalities.shown import Shown

BARS = 30
"""Maximum number of columns with a bar."""

LONGEST = 48
"""Maximum number of characters of a label."""


def plot_table(explanation: Shown) -> Figure:
    """Plot the effect of each column with its value and standard error, the strongest first.

    Red columns raise the score, blue ones lower it.

    Args:
        explanation: explanation of a row.
    """
    effect = np.nan_to_num(explanation.effect)
    order = np.argsort(-np.abs(effect), kind="stable")[:BARS]
    rows = np.arange(len(order))
    error = explanation.standard_error
    lines = None if error is None or not np.isfinite(error[order]).all() else error[order]
    figure = Figure(figsize=(9, 1.5 + 0.3 * len(order)), layout="constrained", dpi=110)
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    colors = np.where(effect[order] >= 0, "#b2182b", "#2166ac").tolist()
    axes.barh(
        rows,
        effect[order],
        color=colors,
        xerr=lines if lines is not None and lines.any() else None,
        ecolor="0.2",
        capsize=2,
    )
    axes.set_yticks(rows, [_label(explanation, number) for number in order], fontsize=9)
    axes.invert_yaxis()
    axes.axvline(0, color="0.2", linewidth=0.8)
    texts = said(explanation, explanation.labels or ())
    read_bars(axes, [(row - 0.5, row + 0.5) for row in rows], [texts[number] for number in order], upright=False)
    axes.set_xlabel(f"change of the {explanation.measures['importance']} by the column ({_note(explanation, lines)})")
    more = len(effect) - len(order)
    figure.suptitle(title_of(explanation) + (f"   ·   {more} weaker columns not shown" if more else ""), fontsize=10)
    return figure


def _label(explanation: Shown, number: int) -> str:
    text = " ".join((explanation.labels or ())[number].split())
    return literal(text if len(text) <= LONGEST else text[: LONGEST - 1] + "…")


def _note(explanation: Shown, lines: np.ndarray | None) -> str:
    if lines is None:
        return "no standard error"
    if lines.any():
        return "lines: standard error"
    fill = explanation.settings["fill"]
    drawn = isinstance(fill, dict) and fill.get("name") == "column-draw"
    return "all masks were tried, each with one drawn row" if drawn else "exact: all masks were tried"
