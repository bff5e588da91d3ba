"""Figures of two rows explained against each other."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from relax._support.figures import literal
from relax.modalities.answers import draw_matrix, limits, short, title_of_pair
from relax.modalities.showing import called
from relax.modalities.shown import Shown

BARS = 20
"""Maximum number of columns of each row that are shown."""


def plot_pair(a: Shown, b: Shown, similarity: float, interactions: Any) -> Figure:
    """Plot what each column of both rows adds to their similarity, with standard errors, and their interactions.

    Both rows have their columns in one order, the strongest of either first, and one scale. Red columns make the two
    rows more alike, blue ones less.

    Args:
        a: explanation of the first row against the second.
        b: explanation of the second row against the first.
        similarity: similarity of their representations.
        interactions: interactions of their columns; ``None`` omits them.
    """
    orders = _orders(a, b)
    n = max(len(order) for order in orders)
    heights = [1.0 + 0.27 * n] + ([1.6 + 0.27 * n] if interactions is not None else [])
    figure = Figure(figsize=(11, sum(heights) + 0.5), layout="constrained", dpi=110)
    FigureCanvasAgg(figure)
    grid = figure.add_gridspec(len(heights), 2, height_ratios=heights)
    low, high = limits(a, b)
    for place, (e, order) in enumerate(zip((a, b), orders, strict=True)):
        axes = figure.add_subplot(grid[0, place])
        _bars(axes, e, order)
        axes.set_xlim(low, high)
        axes.xaxis.set_major_locator(MaxNLocator(5))
        axes.tick_params(axis="x", labelsize=8)
        name, other = "ab"[place], "ba"[place]
        axes.set_title(literal(f"{name}: {called(e.settings['input'])}, what in it is like {other}"), fontsize=9)
    if interactions is not None:
        labels = (a.labels or (), b.labels or ())
        draw_matrix(figure.add_subplot(grid[1, :]), interactions, *orders, labels, "column")
    more = len(a.effect) - len(orders[0])
    note = f"   ·   {more} weaker columns not shown" if more > 0 else ""
    figure.suptitle(title_of_pair(a, similarity) + note, fontsize=10)
    return figure


def _orders(a: Shown, b: Shown) -> tuple[np.ndarray, np.ndarray]:
    """The columns of both rows, the strongest first; in one order if both have the same columns."""
    effects = [np.abs(np.nan_to_num(e.effect)) for e in (a, b)]
    if len(effects[0]) == len(effects[1]):
        effects = [np.maximum(*effects)] * 2
    return tuple(np.argsort(-effect, kind="stable")[:BARS] for effect in effects)  # type: ignore[return-value]


def _errors(e: Shown) -> np.ndarray:
    error = e.standard_error
    return np.zeros_like(e.effect) if error is None or not np.isfinite(error).all() else error


def _bars(axes: Any, e: Shown, order: np.ndarray) -> None:
    rows, effect, error = np.arange(len(order)), np.nan_to_num(e.effect)[order], _errors(e)[order]
    colors = np.where(effect >= 0, "#b2182b", "#2166ac").tolist()
    axes.barh(rows, effect, color=colors, xerr=error if error.any() else None, ecolor="0.2", capsize=2)
    axes.set_yticks(rows, [short((e.labels or ())[number]) for number in order], fontsize=8)
    axes.invert_yaxis()
    axes.axvline(0, color="0.2", linewidth=0.8)
    note = "lines: standard error" if error.any() else "exact: all masks were tried"
    axes.set_xlabel(f"red: more alike, blue: less; change of the {e.measures['importance']}\n({note})", fontsize=8)
