"""Figures and pages of two recordings explained against each other."""

from __future__ import annotations

from html import escape
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from relax.modalities.answers import alternative_of_pair
from relax.modalities.series.pairs import figure_of, kind_of, label
from relax.modalities.showing import as_html, called
from relax.modalities.shown import Shown
from relax.modalities.sound.masks import edges_of
from relax.modalities.sound.showing import FLOOR, decibels_of, elements_of, player, rate_of

WHAT = {"segments": "segment", "frequency-bands": "band", "time-frequency": "patch"}
"""What a unit of each kind of masks is called."""


def plot_pair(a: Shown, b: Shown, similarity: float, interactions: Any) -> Figure:
    """Plot the spectrograms of two recordings, shaded on one colour scale, and which unit answers which.

    Args:
        a: explanation of the first recording against the second.
        b: explanation of the second recording against the first.
        similarity: similarity of their representations.
        interactions: interactions of their units; ``None`` omits them.
    """
    kind = kind_of(a)
    hands = (draw_sound, mark_sound)
    scale = 1 / rate_of(a)
    return figure_of(
        a, b, similarity, interactions, hands, WHAT.get(kind, "unit"), "time (s)", kind == "segments", scale
    )


def html_of_pair(a: Shown, b: Shown, similarity: float, interactions: Any) -> str:
    """Both recordings, to listen to, and the figure; needs no other file.

    Args:
        a: explanation of the first recording against the second.
        b: explanation of the second recording against the first.
        similarity: similarity of their representations.
        interactions: interactions of their units; ``None`` omits them.
    """
    players = []
    for name, e in (("a", a), ("b", b)):
        (samples,), called_ = e.inputs.values(), called(e.settings["input"])
        players.append(f"<p>{name}: {escape(called_)}</p>{player(samples, rate_of(e), called_)}")
    figure = as_html(plot_pair(a, b, similarity, interactions), alternative_of_pair(a, b, similarity))
    return f'<div style="max-width:80em">{"".join(players)}{figure}</div>'


def draw_sound(axes: Any, e: Shown, peak: float) -> None:
    """Draw the spectrogram of a recording with its units shaded."""
    (samples,), rate = e.inputs.values(), rate_of(e)
    elements, layout = elements_of(e)
    seconds, hertz = edges_of(elements, layout)
    extent = (0.0, len(samples) / rate, 0.0, rate / 2)
    axes.imshow(decibels_of(samples), cmap="gray_r", vmin=-FLOOR, vmax=0, origin="lower", aspect="auto", extent=extent)
    effect = np.nan_to_num(e.effect).reshape(len(hertz) - 1, len(seconds) - 1)
    mesh = axes.pcolormesh(seconds, hertz, effect, cmap="RdBu_r", vmin=-peak, vmax=peak, alpha=0.6)
    axes.set_ylabel("frequency (Hz)", fontsize=8)
    if elements.domain != "time":
        error = e.standard_error
        known = error is not None and np.isfinite(error).all() and error.any()
        note = f"\n(standard error {np.mean(error):.1g})" if known and error is not None else ""
        bar = axes.figure.colorbar(mesh, ax=axes)
        bar.set_label(f"change of the\n{e.measures['importance']}{note}", fontsize=8)


def mark_sound(axes: Any, e: Shown, unit: int, text: str, color: str) -> None:
    """Number a unit of a recording."""
    elements, layout = elements_of(e)
    seconds, hertz = edges_of(elements, layout)
    row, column = np.unravel_index(unit, (len(hertz) - 1, len(seconds) - 1))
    left, right, low, high = seconds[column], seconds[column + 1], hertz[row], hertz[row + 1]
    axes.add_patch(Rectangle((left, low), right - left, high - low, fill=False, edgecolor=color, linewidth=2))
    label(axes, (left + right) / 2, low + 0.85 * (high - low), text, color)
