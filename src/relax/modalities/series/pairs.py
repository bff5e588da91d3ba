"""Figures of two series or recordings explained against each other."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke

from relax._support.figures import literal
from relax.modalities.answers import CLEAR, draw_matrix, limits, title_of_pair
from relax.modalities.regions import strongest
from relax.modalities.series.showing import MOST_CHANNELS, bars, plot_lines
from relax.modalities.showing import called
from relax.modalities.shown import Shown

MARKED = 3
"""Number of units of the first input that are marked, with their answers."""

Draw = Callable[[Any, Shown, float], None]
"""Draws an input, shaded by its effects: axes, explanation, effect of full colour."""

Mark = Callable[[Any, Shown, int, str, str], None]
"""Marks a unit: axes, explanation, number of the unit, text, colour."""


def plot_pair(a: Shown, b: Shown, similarity: float, interactions: Any) -> Figure:
    """Plot two series on one colour scale, the effect of each unit with its error, and which unit answers which.

    Args:
        a: explanation of the first series against the second.
        b: explanation of the second series against the first.
        similarity: similarity of their representations.
        interactions: interactions of their units; ``None`` omits them.
    """
    kind, scale = kind_of(a), 1.0
    what = {"channels": "channel", "bands": "band"}.get(kind, "segment")
    x = {"channels": "sample", "bands": "frequency (cycles a series)"}.get(kind, "sample")
    return figure_of(a, b, similarity, interactions, (draw_series, mark_series), what, x, kind != "channels", scale)


def figure_of(
    a: Shown,
    b: Shown,
    similarity: float,
    interactions: Any,
    hands: tuple[Draw, Mark],
    what: str,
    x: str,
    barred: bool,
    scale: float,
) -> Figure:
    """The figure of a pair, for inputs that are drawn along one axis.

    Args:
        a: explanation of the first input against the second.
        b: explanation of the second input against the first.
        similarity: similarity of their representations.
        interactions: interactions of their units; ``None`` omits them.
        hands: draws an input; marks a unit of it.
        what: what a unit is.
        x: label of the axis.
        barred: whether bars below each input show the effects of its units.
        scale: unit of the axis, in samples or bins.
    """
    draw, mark = hands
    matrix = interactions is not None and len(interactions.a.shape) == 1
    heights = [2.2, 1.3] * 2 if barred else [2.8] * 2
    figure = Figure(figsize=(15 if matrix else 10, sum(heights) + 0.6), layout="constrained", dpi=110)
    FigureCanvasAgg(figure)
    grid = figure.add_gridspec(len(heights), 2 if matrix else 1, height_ratios=heights)
    peak = max(float(np.nanmax(np.abs(e.effect))) for e in (a, b)) or 1.0
    low, high = limits(a, b)
    sides = []
    for place, e in enumerate((a, b)):
        above = figure.add_subplot(grid[place * len(heights) // 2, 0])
        draw(above, e, peak)
        name = "ab"[place]
        above.set_title(
            literal(f"{name}: {called(e.settings['input'])}, red: like {'ba'[place]}, blue: not"), fontsize=9
        )
        sides.append(above)
        last = above
        if barred:
            last = figure.add_subplot(grid[2 * place + 1, 0], sharex=above)
            bars(last, e, np.nan_to_num(e.effect), scale)
            last.set_ylim(low, high)
        last.set_xlabel(x, fontsize=8)
    unclear = _mark_answers(sides, a, b, interactions, mark)
    if matrix:
        units_a, units_b = np.arange(len(a.effect)), np.arange(len(b.effect))
        draw_matrix(
            figure.add_subplot(grid[:, 1]), interactions, units_a, units_b, (a.labels or (), b.labels or ()), what
        )
    note = "" if interactions is None else f"   ·   the strongest {what}s of a and their answers in b are numbered"
    figure.suptitle(f"{title_of_pair(a, similarity)}{note}{unclear}", fontsize=10)
    return figure


def _mark_answers(sides: list[Any], a: Shown, b: Shown, interactions: Any, mark: Mark) -> str:
    """Mark the strongest units of the first input and their clear answers; say which have none."""
    if interactions is None:
        return ""
    unclear = []
    for place, (unit, _) in enumerate(strongest(interactions.a, a.effect, MARKED), 1):
        best = int(np.argmax(interactions.values[unit]))
        value, error = interactions.values[unit, best], interactions.standard_error[unit, best]
        mark(sides[0], a, unit, str(place), f"C{place}")
        if value > 0 and value >= CLEAR * error:
            mark(sides[1], b, best, str(place), f"C{place}")
        else:
            unclear.append(str(place))
    return f"; nothing clear for {' and '.join(unclear)}" if unclear else ""


def kind_of(e: Shown) -> str:
    """Name of the masks; of several, the first."""
    masks = e.settings["masks"]
    return str((masks[0] if isinstance(masks, list) else masks)["name"])


def draw_series(axes: Any, e: Shown, peak: float) -> None:
    """Draw a series, or its spectrum for bands, with its units shaded."""
    (series,) = e.inputs.values()
    kind = kind_of(e)
    plot_lines(axes, series.reshape(-1, series.shape[-1])[:MOST_CHANNELS], kind, e.labels)
    for (start, stop), value in zip(e.spans or (), np.nan_to_num(e.effect), strict=True):
        color = colormaps["RdBu_r"](0.5 + 0.5 * float(value) / peak)
        if kind == "channels" and start < MOST_CHANNELS:
            axes.axhspan(start - 0.5, stop - 0.5, color=color, alpha=0.45, linewidth=0)
            error = 0.0 if e.standard_error is None else float(e.standard_error[start])
            written = f"{value:+.3g}" + (f" ± {error:.1g}" if error > 0 else "")
            axes.text(0.99, start, written, transform=axes.get_yaxis_transform(), ha="right", va="top", fontsize=8)
        elif kind != "channels":
            axes.axvspan(start, stop, color=color, alpha=0.45, linewidth=0)


def mark_series(axes: Any, e: Shown, unit: int, text: str, color: str) -> None:
    """Number a unit of a series."""
    start, stop = (e.spans or ())[unit]
    if kind_of(e) == "channels":
        label(axes, 0.01, (start + stop - 1) / 2, text, color, axes.get_yaxis_transform())
        return
    axes.axvspan(start, stop, fill=False, edgecolor=color, linewidth=2)
    label(axes, (start + stop) / 2, 0.9, text, color, axes.get_xaxis_transform())


def label(axes: Any, x: float, y: float, text: str, color: str, transform: Any = None) -> None:
    """Write a number that is read on any background; several numbers of one unit stand side by side."""
    before = sum(1 for old in axes.texts if getattr(old, "xy", None) == (x, y))
    shown = axes.annotate(
        text,
        (x, y),
        xytext=(14 * before, 0),
        textcoords="offset points",
        xycoords=axes.transData if transform is None else transform,
        color=color,
        weight="bold",
        ha="center",
        va="center",
        fontsize=11,
    )
    shown.set_path_effects([withStroke(linewidth=3, foreground="white")])
