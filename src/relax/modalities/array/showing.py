"""Figures of explanations of arrays: a line for signals, the most important slice for volumes."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from relax.modalities.pointer import Cells, block_means, number, read_map
from relax.modalities.showing import title_of
from relax.modalities.shown import Shown

COLUMNS = 64
"""Most parts of a signal with a value under the pointer."""


def plot_array(explanation: Shown) -> Figure:
    """Plot the mean of the array over channels, and the effect of each block.

    Shows the slice with the largest effect if the array has more than two dimensions after the channels.

    Args:
        explanation: explanation of an array.
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
    effect, positions = explanation.effect, np.arange(len(values))
    below.fill_between(positions, 0, effect, where=effect >= 0, step="mid", color="#b2182b")
    below.fill_between(positions, 0, effect, where=effect < 0, step="mid", color="#2166ac")
    if explanation.standard_error is not None:
        error = explanation.standard_error
        below.fill_between(positions, effect - error, effect + error, step="mid", color="0.2", alpha=0.25, linewidth=0)
    below.axhline(0, color="0.2", linewidth=0.8)
    below.set_ylabel(f"change of the\n{explanation.measures['importance']}", fontsize=8)
    below.set_title("importance minus its neutral value; grey: standard error", fontsize=10)
    below.set_xlabel("position")
    count = min(len(effect), COLUMNS)
    means = block_means(effect[None], (1, count))
    texts = [[number(float(value), float(np.nanmax(means) - np.nanmin(means))) for value in means[0]]]
    for axes in (above, below):
        axes.add_artist(Cells(np.linspace(-0.5, len(effect) - 0.5, count + 1), axes.get_ylim(), texts))


def _plane(figure: Figure, values: np.ndarray, explanation: Shown) -> None:
    effect = explanation.effect
    slice_index = np.unravel_index(int(np.nanargmax(np.abs(effect))), effect.shape)[:-2]
    peak = float(np.nanmax(np.abs(effect))) or 1.0
    left, right = figure.subplots(1, 2)
    left.imshow(values[slice_index], cmap="gray")
    label = f" {', '.join(map(str, slice_index))}" if slice_index else ""
    left.set_title(f"input, slice{label}" if slice_index else "input", fontsize=10)
    image = right.imshow(effect[slice_index], cmap="RdBu_r", vmin=-peak, vmax=peak)
    right.set_title("importance minus its neutral value", fontsize=10)
    axes: Any
    for axes in (left, right):
        read_map(axes, {"effect": effect[slice_index]}, 2)
        axes.set_xticks([])
        axes.set_yticks([])
    bar = figure.colorbar(image, ax=right, fraction=0.046, pad=0.02)
    bar.set_label(f"change of the {explanation.measures['importance']}", fontsize=8)
