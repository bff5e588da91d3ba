"""Pictures of an explanation that can be read without its maker."""

from __future__ import annotations

from textwrap import fill
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from scipy.ndimage import gaussian_filter

from relax.modalities.base import Shown
from relax.modalities.image.geometry import at_picture
from relax.modalities.showing import title_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MAPS = ("importance", "uncertainty", "standard_error")

OUTLINED = 0.2
"""Share of the picture that the outline encloses: its most important part."""

ROUNDING = 1e-9
"""Differences of a map below which there is nothing to see."""

LONGEST = 6
"""Times that a picture may be longer than wide (or wider) before it is stretched."""

WIDTH = 32
"""Letters in a line beside a colour bar."""

SMOOTHING = 0.015
"""Standard deviation of the outline's smoothing, as a share of the longer side."""


def plot_image(explanation: Shown) -> Figure:
    """Input, importance, uncertainty and standard error side by side, at the picture's own proportions.

    Importance is shown over its own range, since it is a large constant plus a small signal, or symmetrically
    around its neutral value where it is signed. The standard error is shown from 0 to at least a quarter of the
    importance's range, so that a dark panel means a small error. Maps that a method does not give are left out.
    """
    picture = picture_of(explanation)
    names = [name for name in MAPS if getattr(explanation, name) is not None]
    values = {name: sized(explanation, name, picture.shape) for name in names}
    importance = values["importance"]
    low, high = range_of(importance)

    height, width = picture.shape[:2]
    panel = 3.4
    size = ((1 + len(names)) * panel + 1.6, panel * min(max(height / width, 0.65), 2.0) + 0.95)
    narrow = not 1 / LONGEST <= height / width <= LONGEST
    figure = Figure(figsize=size, layout="compressed", dpi=110)
    FigureCanvasAgg(figure)
    axes = figure.subplots(1, 1 + len(names))

    axes[0].imshow(picture)
    bare(axes[0])
    outline(axes[0], importance)
    axes[0].set_title("input")
    axes[0].set_xlabel(f"line: the most important {OUTLINED:.0%}", fontsize=8)
    for place, name in zip(axes[1:], names, strict=True):
        units = explanation.measures[name]
        if name == "importance":
            limits = symmetric(explanation, importance) if explanation.signed else (low, high)
            note = "red pulls the score up, blue pushes it down" if explanation.signed else "larger: matters more"
            _panel(figure, place, importance, name, units, "RdBu_r" if explanation.signed else "viridis", limits, note)
        elif name == "uncertainty":
            least, most = range_of(values[name])
            limits = (max(least, 0.0), most)
            _panel(figure, place, values[name], name, units, "magma", limits, "a spread, not an error")
        else:
            error = values[name]
            known = bool(np.isfinite(error).any())
            top = max((high - low) / 4, float(np.nanmax(error)) if known else 0.0)
            typical = float(np.nanmean(error)) if known else 0.0
            note = f"of the importance; mean {typical:.2g}, {typical / (high - low):.0%} of its range"
            note = note if known else "needs two blocks of masks"
            _panel(figure, place, error, "standard error", units, "cividis", (0.0, top), note)
    if narrow:  # true proportions would leave nothing to see
        for place in axes:
            place.set_aspect("auto")
        axes[0].set_title(f"input ({width}x{height}, stretched)")
    figure.suptitle(title_of(explanation), fontsize=10)
    return figure


def picture_of(explanation: Shown) -> np.ndarray:
    """What was explained, to be shown: ``(h, w, 3)``."""
    if explanation.presentation is not None:
        return np.asarray(explanation.presentation)
    (x,) = explanation.inputs.values()
    tensor = x[:3] if x.shape[0] >= 3 else x[:1].repeat(3, axis=0)
    low, high = float(tensor.min()), float(tensor.max())
    return np.moveaxis((tensor - low) / max(high - low, 1e-12), 0, -1)


def sized(explanation: Shown, name: str, shape: tuple[int, ...]) -> np.ndarray:
    """A map at the size ``(h, w)`` at which the picture is shown; NaN where the transform cropped the picture away."""
    return at_picture(getattr(explanation, name), explanation.settings["input"], (shape[0], shape[1]))


def range_of(values: np.ndarray) -> tuple[float, float]:
    """Smallest and largest finite value, widened if they are the same."""
    if not np.isfinite(values).any():
        return 0.0, 1.0
    low, high = float(np.nanmin(values)), float(np.nanmax(values))
    return (low, high) if high > low else (low - 0.5, high + 0.5)


def symmetric(explanation: Shown, values: np.ndarray) -> tuple[float, float]:
    """Limits around the neutral value that hold all of a signed map."""
    low, high = range_of(values)
    peak = max(explanation.neutral - low, high - explanation.neutral, ROUNDING)  # rounding is shown as nothing
    return explanation.neutral - peak, explanation.neutral + peak


def _panel(
    figure: Figure,
    axes: Axes,
    values: np.ndarray,
    title: str,
    units: str,
    colors: str,
    limits: tuple[float, float],
    note: str,
) -> None:
    image = axes.imshow(values, cmap=colors, vmin=limits[0], vmax=limits[1])
    axes.set_title(title)
    axes.set_xlabel(note, fontsize=8)
    bare(axes)
    bar = figure.colorbar(image, ax=axes, fraction=0.046, pad=0.02)
    bar.set_label(fill(units, WIDTH), fontsize=8)
    bar.ax.tick_params(labelsize=7)
    bar.formatter.set_powerlimits((-3, 3))  # type: ignore[attr-defined]


def bare(axes: Axes) -> None:
    """Remove ticks."""
    axes.set_xticks([])
    axes.set_yticks([])


def outline(axes: Axes, importance: np.ndarray) -> None:
    """Draw a line around the most important part of a map, smoothed a little so that the line can be followed."""
    finite = importance[np.isfinite(importance)]
    if finite.size == 0 or finite.max() - finite.min() <= ROUNDING:
        return
    filled = np.where(np.isfinite(importance), importance, finite.min())
    smooth = gaussian_filter(filled.astype(float), SMOOTHING * max(importance.shape))
    level = float(np.quantile(smooth[np.isfinite(importance)], 1 - OUTLINED))
    for color, width in (("white", 3), ("black", 1.2)):
        axes.contour(smooth, levels=[level], colors=color, linewidths=width, linestyles="solid")
