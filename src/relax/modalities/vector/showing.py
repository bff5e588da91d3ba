"""Figures of explanations of vectors."""

from __future__ import annotations

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from relax.modalities.pointer import read_bars, said
from relax.modalities.showing import title_of
from relax.modalities.shown import Shown

LABELLED = 40
"""Maximum number of columns with a tick for each."""


def plot_vector(explanation: Shown) -> Figure:
    """Plot the values of the columns, and below them the effect of each column with its standard error.

    Bars start at the neutral value: a column with a bar upwards raises the score, one with a bar downwards lowers it.

    Args:
        explanation: explanation of a vector.
    """
    (values,) = explanation.inputs.values()
    effect = explanation.effect
    columns = np.arange(len(values))
    figure = Figure(figsize=(min(4 + 0.2 * len(values), 16), 5.2), layout="constrained", dpi=110)
    FigureCanvasAgg(figure)
    above, below = figure.subplots(2, 1, sharex=True)
    above.bar(columns, values, color="0.6")
    above.set_ylabel("value")
    above.set_title("input", fontsize=10)
    colors = np.where(effect >= 0, "#b2182b", "#2166ac").tolist()
    below.bar(columns, effect, color=colors, yerr=explanation.standard_error, ecolor="0.2", capsize=2)
    below.axhline(0, color="0.2", linewidth=0.8)
    below.set_ylabel(f"change of the\n{explanation.measures['importance']}", fontsize=8)
    below.set_title("importance minus its neutral value; lines: standard error", fontsize=10)
    below.set_xlabel("column")
    if len(values) <= LABELLED:
        below.set_xticks(columns)
    spans = [(column - 0.5, column + 0.5) for column in columns]
    for axes in (above, below):
        read_bars(axes, spans, said(explanation, [f"column {column}" for column in columns]))
    figure.suptitle(title_of(explanation), fontsize=10)
    return figure
