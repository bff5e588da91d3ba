"""Figures of explanations of images."""

from __future__ import annotations

from textwrap import fill
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from scipy.ndimage import gaussian_filter

from relax.modalities.image.geometry import at_picture
from relax.modalities.pointer import read_map
from relax.modalities.showing import title_of
from relax.modalities.shown import Shown

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MAPS = ("importance", "uncertainty", "standard_error")

OUTLINED = 0.2
"""Fraction of the picture inside the outline of its most important part."""

ROUNDING = 1e-9
"""Rounding error of a map; smaller differences are not shown."""

LONGEST = 6
"""Maximum aspect ratio; more elongated pictures are stretched."""

WIDTH = 32
"""Maximum number of characters in a line beside a colour bar."""

SMOOTHING = 0.015
"""Standard deviation of the outline's smoothing, as a fraction of the longer side."""


def plot_image(explanation: Shown) -> Figure:
    """Plot input, importance, uncertainty and standard error side by side, in the picture's proportions.

    The colour scale of the importance covers its own range, because it is a large constant plus a small signal, or is
    symmetric about its neutral value if signed. That of the standard error runs from 0 to at least a quarter of the
    importance's range, so that a dark panel means a small error. Missing maps are omitted.

    Args:
        explanation: explanation of an image.
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
            available = bool(np.isfinite(error).any())
            top = max((high - low) / 4, float(np.nanmax(error)) if available else 0.0)
            mean = float(np.nanmean(error)) if available else 0.0
            note = f"of the importance; mean {mean:.2g}, {mean / (high - low):.0%} of its range"
            note = note if available else "needs two blocks of masks"
            _panel(figure, place, error, "standard error", units, "cividis", (0.0, top), note)
    for place, name in zip(axes[1:], names, strict=True):
        read_map(place, {name: values[name]}, len(axes))
    read_map(axes[0], {name.replace("_", " "): values[name] for name in names}, len(axes))
    if narrow:  # unreadable in true proportions
        for place in axes:
            place.set_aspect("auto")
        axes[0].set_title(f"input ({width}x{height}, stretched)")
    figure.suptitle(title_of(explanation), fontsize=10)
    return figure


def picture_of(explanation: Shown) -> np.ndarray:
    """The picture of an explanation, ``(h, w, 3)``: uint8, or float in [0, 1] for a bare tensor."""
    if explanation.presentation is not None:
        return np.asarray(explanation.presentation)
    (x,) = explanation.inputs.values()
    tensor = x[:3] if x.shape[0] >= 3 else x[:1].repeat(3, axis=0)
    low, high = float(tensor.min()), float(tensor.max())
    return np.moveaxis((tensor - low) / max(high - low, 1e-12), 0, -1)


def sized(explanation: Shown, name: str, shape: tuple[int, ...]) -> np.ndarray:
    """Resize the map ``name`` to the first two dimensions of ``shape``; NaN outside the encoder's crop."""
    return at_picture(getattr(explanation, name), explanation.settings["input"], (shape[0], shape[1]))


def range_of(values: np.ndarray) -> tuple[float, float]:
    """Smallest and largest finite value of a map, widened if they are equal."""
    if not np.isfinite(values).any():
        return 0.0, 1.0
    low, high = float(np.nanmin(values)), float(np.nanmax(values))
    return (low, high) if high > low else (low - 0.5, high + 0.5)


def symmetric(explanation: Shown, values: np.ndarray) -> tuple[float, float]:
    """Symmetric limits about the neutral value that cover a signed map."""
    low, high = range_of(values)
    peak = max(explanation.neutral - low, high - explanation.neutral, ROUNDING)  # do not amplify rounding errors
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
    """Outline the most important part of a map ``(h, w)``, slightly smoothed; a single row or column has no outline."""
    finite = importance[np.isfinite(importance)]
    if finite.size == 0 or min(importance.shape) < 2 or finite.max() - finite.min() <= ROUNDING:
        return
    filled = np.where(np.isfinite(importance), importance, finite.min())
    smooth = gaussian_filter(filled.astype(float), SMOOTHING * max(importance.shape))
    level = float(np.quantile(smooth[np.isfinite(importance)], 1 - OUTLINED))
    for color, width in (("white", 3), ("black", 1.2)):
        axes.contour(smooth, levels=[level], colors=color, linewidths=width, linestyles="solid")
