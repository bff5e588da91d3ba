"""The picture of an explanation of an array: a line for signals, the most important slice for volumes."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from relax.modalities.base import Shown
from relax.modalities.showing import title_of


def plot_array(explanation: Shown) -> Figure:
    """The array, mean over channels, and below or beside it what each block does to the score.

    Of more than two dimensions the slice is shown that holds the block with the largest effect.
    """
    (values,) = explanation.inputs.values()
    figure = Figure(figsize=(9, 4.6) if explanation.effect.ndim == 1 else (10.5, 4), layout="constrained", dpi=110)
    FigureCanvasAgg(figure)
    if explanation.effect.ndim == 1:
        _signal(figure, values.mean(0), explanation)
    else:
        _plane(figure, values.mean(0), explanation)
    figure.suptitle(title_of(explanation), fontsize=10)
    return figure


def _signal(figure: Figure, values: np.ndarray, explanation: Shown) -> None:
    above, below = figure.subplots(2, 1, sharex=True)
    above.plot(values, color="0.3", linewidth=1)
    above.set_ylabel("value\n(mean over channels)", fontsize=8)
    above.set_title("input", fontsize=10)
    effect, places = explanation.effect, np.arange(len(values))
    below.fill_between(places, 0, effect, where=effect >= 0, step="mid", color="#b2182b")
    below.fill_between(places, 0, effect, where=effect < 0, step="mid", color="#2166ac")
    if explanation.standard_error is not None:
        error = explanation.standard_error
        below.fill_between(places, effect - error, effect + error, step="mid", color="0.2", alpha=0.25, linewidth=0)
    below.axhline(0, color="0.2", linewidth=0.8)
    below.set_ylabel(f"change of the\n{explanation.measures['importance']}", fontsize=8)
    below.set_title("importance less its neutral value; grey: standard error", fontsize=10)
    below.set_xlabel("place")


def _plane(figure: Figure, values: np.ndarray, explanation: Shown) -> None:
    effect = explanation.effect
    place = np.unravel_index(int(np.nanargmax(np.abs(effect))), effect.shape)[:-2]
    peak = float(np.nanmax(np.abs(effect))) or 1.0
    left, right = figure.subplots(1, 2)
    left.imshow(values[place], cmap="gray")
    where = f" {', '.join(map(str, place))}" if place else ""
    left.set_title(f"input, slice{where}" if place else "input", fontsize=10)
    image = right.imshow(effect[place], cmap="RdBu_r", vmin=-peak, vmax=peak)
    right.set_title("importance less its neutral value", fontsize=10)
    axes: Any
    for axes in (left, right):
        axes.set_xticks([])
        axes.set_yticks([])
    bar = figure.colorbar(image, ax=right, fraction=0.046, pad=0.02)
    bar.set_label(f"change of the {explanation.measures['importance']}", fontsize=8)
