"""Figures of a run: insertion and deletion curves, and a grid of maps."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.figure import Figure
from scipy.stats import rankdata

from relax._support.figures import literal
from relax.explanation import Explanation

COLUMN = 1.5
"""Width of a map in the grid, in inches."""

STYLES = ("-", "--", ":", "-.")
"""Line styles, one for every ten methods."""


def plot_curves(lines: list[dict[str, Any]]) -> Figure | None:
    """Plot the mean insertion and deletion curves over inputs, with one row per fill.

    Args:
        lines: lines of the journal.

    Returns:
        The figure; ``None`` if there are no curves.
    """
    fills = list(dict.fromkeys(fill for line in lines for fill in line["curves"]))
    if not fills:
        return None
    methods = list(dict.fromkeys(line["method"] for line in lines))
    figure = Figure(figsize=(10, 3.4 * len(fills)), layout="constrained")
    grid = figure.subplots(len(fills), 2, squeeze=False, sharey="row")
    for row, fill in zip(grid, fills, strict=True):
        for axes, kind in zip(row, ("insertion", "deletion"), strict=True):
            for number, method in enumerate(methods):
                curves = [line["curves"][fill][kind] for line in lines if line["method"] == method and line["curves"]]
                curves = [curve for curve in curves if np.isfinite(curve).all()]
                if curves:
                    x = np.linspace(0, 100, len(curves[0]))
                    style = STYLES[number // 10 % len(STYLES)]
                    axes.plot(
                        x, np.mean(curves, axis=0), style, color=f"C{number % 10}", label=literal(method), linewidth=1.4
                    )
            changed = "most important pixels inserted" if kind == "insertion" else "most important pixels deleted"
            axes.set(xlabel=f"{changed} (%)", title=f"{kind}, fill: {fill}")
            axes.grid(alpha=0.3)
        row[0].set_ylabel("similarity to the intact picture\n(0: filled, 1: intact)")
    handles, labels = grid[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside right center", frameon=False, fontsize=9)
    return figure


def plot_maps(explanations: dict[tuple[str, str], Explanation]) -> Figure | None:
    """Plot the maps by the ranks of their pixels, with inputs in rows and methods in columns.

    Args:
        explanations: explanations by input and method.

    Returns:
        The figure; ``None`` if there are no explanations.
    """
    explanations = {key: e for key, e in explanations.items() if e.importance.ndim == 2}
    if not explanations:
        return None
    inputs = list(dict.fromkeys(name for name, _ in explanations))
    methods = list(dict.fromkeys(method for _, method in explanations))
    size = (COLUMN * (len(methods) + 1) + 0.9, COLUMN * len(inputs) + 0.5)
    figure = Figure(figsize=size, layout="constrained")
    grid = figure.subplots(len(inputs), len(methods) + 1, squeeze=False)
    image = None
    for row, name in zip(grid, inputs, strict=True):
        for axes in row:
            axes.set_axis_off()
        for axes, method in zip(row[1:], methods, strict=True):
            e = explanations.get((name, method))
            if e is None:
                continue
            image = axes.imshow(_ranks(e.importance), cmap="viridis", vmin=0, vmax=100)
            if e.picture is not None:
                row[0].imshow(e.picture)
    for axes, title in zip(grid[0], ["input", *methods], strict=True):
        axes.set_title(literal(title), fontsize=9)
    if image is not None:
        figure.colorbar(image, ax=grid, shrink=0.8, label="percentile of the pixel's importance")
    return figure


def _ranks(values: np.ndarray) -> np.ndarray:
    """Percentile of each pixel, with ties sharing one, to compare methods with different units."""
    return np.asarray(100.0 * (rankdata(values).reshape(values.shape) - 0.5) / values.size)
