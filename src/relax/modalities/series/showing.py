"""Figures of explained series."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from matplotlib import colormaps
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.cm import ScalarMappable
from matplotlib.colors import ListedColormap, Normalize
from matplotlib.figure import Figure

from relax._support.figures import literal
from relax.modalities.pointer import read_bars, said
from relax.modalities.prepared import Prepared
from relax.modalities.showing import as_html, called, title_of
from relax.modalities.shown import Shown

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MOST_CHANNELS = 8
"""Maximum number of channels that are drawn."""

SHADES = ListedColormap(1 - 0.45 * (1 - colormaps["RdBu_r"](np.linspace(0, 1, 256))))
"""Blue, white and red, pale enough for lines in front of them."""


def plot_series(explanation: Shown) -> Figure:
    """Plot the series, or its spectrum for bands of frequency, and the effect of each unit with its standard error.

    Red units raise the score, blue ones lower it.

    Args:
        explanation: explanation of a series.
    """
    (series,) = explanation.inputs.values()
    masks = explanation.settings["masks"]
    kind = (masks[0] if isinstance(masks, list) else masks)["name"]
    series = series.reshape(-1, series.shape[-1])
    shown = series[:MOST_CHANNELS]
    panels = 1 if kind == "bands" else len(shown)  # the channels of a series have units of their own
    height = 1.6 + 0.8 * len(shown) if kind == "channels" else 4.2 + panels
    figure = Figure(figsize=(9.5, height), layout="constrained", dpi=110)
    FigureCanvasAgg(figure)
    if kind == "channels":
        left, right = figure.subplots(1, 2, width_ratios=(2, 1), sharey=True)
        _channels(left, right, shown, explanation)
    else:
        *above, below = figure.subplots(panels + 1, 1, sharex=True, height_ratios=(*panels * (1.5 / panels + 0.5,), 2))
        _series_above(above, shown, kind, explanation)
        bars(below, explanation, explanation.effect)
        for axes in (*above, below):
            read_bars(axes, explanation.spans or (), said(explanation, explanation.labels or ()))
        below.set_xlabel("frequency (cycles a series)" if kind == "bands" else "sample")
    more = len(series) - len(shown)
    figure.suptitle(title_of(explanation) + (f"   ·   {more} more channels" if more else ""), fontsize=10)
    return figure


def _series_above(above: Sequence[Axes], series: np.ndarray, kind: str, explanation: Shown) -> None:
    """Each channel in its own panel, or all spectra in one, shaded by the effects, with the scale of the shades."""
    names = [literal(name) for name in explanation.settings["input"].get("channels") or ()]
    for number, axes in enumerate(above):
        plot_lines(axes, series if len(above) == 1 else series[number : number + 1], kind, explanation.labels)
        if len(above) > 1:
            axes.set_ylabel(names[number] if number < len(names) else f"channel {number}", fontsize=8)
            axes.lines[0].set_color(f"C{number}")
        elif names:
            axes.legend(axes.lines, names, fontsize=8, loc="upper right")
        shades = shade(axes, explanation)
    bar = above[0].figure.colorbar(shades, ax=list(above), pad=0.01, aspect=30)
    bar.set_label(f"change of the\n{explanation.measures['importance']}", fontsize=8)
    bar.ax.tick_params(labelsize=8)


def thumbnail(prepared: Prepared) -> str:
    """A series as a small HTML image.

    Args:
        prepared: the series.
    """
    figure = Figure(figsize=(6, 1.5), layout="constrained", dpi=80)
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    axes.plot(prepared.tensor.reshape(-1, prepared.tensor.shape[-1])[:MOST_CHANNELS].numpy().T, linewidth=0.8)
    axes.tick_params(labelsize=7)
    return as_html(figure, called(prepared.source))


def bars(axes: Axes, explanation: Shown, effect: np.ndarray, scale: float = 1.0) -> None:
    """A bar for each unit, as wide as its span, with its standard error.

    Args:
        axes: where to draw.
        explanation: the explanation.
        effect: one value a unit.
        scale: unit of the axis, in samples.
    """
    spans = np.array(explanation.spans, dtype=float) * scale
    error = explanation.standard_error
    lines = None if error is None or not np.isfinite(error).all() or not error.any() else error
    middles, widths = spans.mean(1), spans[:, 1] - spans[:, 0]
    colors = np.where(effect >= 0, "#b2182b", "#2166ac").tolist()
    axes.bar(middles, effect, widths, color=colors, edgecolor="white", yerr=lines, ecolor="0.2", capsize=2)
    axes.axhline(0, color="0.2", linewidth=0.8)
    axes.set_ylabel(f"change of the\n{explanation.measures['importance']}", fontsize=8)
    exact = error is not None and not error.any()
    note = "exact: all masks were tried" if exact else "lines: standard error" if lines is not None else ""
    axes.set_title(f"effect of each unit ({note})" if note else "effect of each unit", fontsize=9)


def shade(axes: Axes, explanation: Shown, scale: float = 1.0) -> ScalarMappable:
    """Shade the background of a plot by the effects, on a scale that is white at no effect.

    Returns:
        The scale, for a colour bar.
    """
    effect = np.nan_to_num(explanation.effect)
    peak = float(np.abs(effect).max()) or 1.0
    shades = ScalarMappable(Normalize(-peak, peak), SHADES)
    for (start, stop), value in zip(explanation.spans or (), effect, strict=True):
        color = SHADES(0.5 + 0.5 * float(value) / peak)
        axes.axvspan(start * scale, stop * scale, color=color, linewidth=0, zorder=0)
    return shades


def plot_lines(axes: Axes, series: np.ndarray, kind: str, labels: Sequence[str] | None) -> None:
    """The series itself, its spectrum for bands of frequency, or each channel in its row for channels.

    Args:
        axes: where to draw.
        series: ``(C, T)``.
        kind: name of the masks.
        labels: names of the channels, for channels.
    """
    if kind == "bands":
        axes.plot(np.abs(np.fft.rfft(series - series.mean(1, keepdims=True))).T, linewidth=1)
        axes.set_ylabel("amplitude")
    elif kind == "channels":
        for row, channel in enumerate(series):  # each on a scale of its own
            spread = float(np.ptp(channel)) or 1.0
            axes.plot(row - 0.8 * (channel - channel.mean()) / spread, linewidth=0.8, color="0.2")
        axes.set_yticks(range(len(series)), [literal(name) for name in (labels or ())[: len(series)]], fontsize=8)
        axes.set_ylim(len(series) - 0.5, -0.5)
    else:
        axes.plot(series.T, linewidth=1)
        axes.set_ylabel("value")


def _channels(left: Axes, right: Axes, series: np.ndarray, explanation: Shown) -> None:
    """Each channel in its row, and its effect beside it."""
    effect, rows = explanation.effect[: len(series)], np.arange(len(series))
    plot_lines(left, series, "channels", explanation.labels)
    left.set_xlabel("sample (each channel on its own scale)" if len(series) > 1 else "sample")
    error = explanation.standard_error
    lines = None if error is None or not np.isfinite(error).all() or not error.any() else error[: len(series)]
    colors = np.where(effect >= 0, "#b2182b", "#2166ac").tolist()
    right.barh(rows, effect, color=colors, xerr=lines, ecolor="0.2", capsize=2)
    right.axvline(0, color="0.2", linewidth=0.8)
    texts = said(explanation, explanation.labels or ())[: len(series)]
    for axes in (left, right):
        read_bars(axes, [(row - 0.5, row + 0.5) for row in rows], texts, upright=False)
    right.set_xlabel(f"change of the {explanation.measures['importance']}", fontsize=8)
