"""Pictures of an explanation that can be read without its maker."""

from __future__ import annotations

from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from relax.atomic import atomic_write
from relax.errors import ArgumentError
from relax.explanation import MAPS

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from relax.explanation import Explanation

FORMATS = ("png", "pdf", "svg", "jpg")

OUTLINED = 0.2
"""Share of the picture that the outline encloses: its most important part."""


def plot_explanation(explanation: Explanation) -> Figure:
    """Input, importance, uncertainty and standard error side by side, at the picture's own proportions.

    Importance is shown over its own range, since it is a large constant plus a small signal, or symmetrically
    around a neutral zero where it is signed. The standard error is shown from 0 to at least a quarter of the
    importance's range, so that a dark panel means a small error. Maps that a method does not give are left out.
    """
    picture = _picture(explanation)
    names = [name for name in MAPS if getattr(explanation, name) is not None]
    values = {name: _sized(explanation, name, picture.shape) for name in names}
    importance = values["importance"]
    low, high = _range(importance)

    height, width = picture.shape[:2]
    panel = 3.4
    size = ((1 + len(names)) * panel + 1.6, panel * min(max(height / width, 0.4), 2.0) + 0.95)
    figure = Figure(figsize=size, layout="compressed", dpi=110)
    FigureCanvasAgg(figure)
    axes = figure.subplots(1, 1 + len(names))

    axes[0].imshow(picture)
    _outline(axes[0], importance)
    axes[0].set_title("input")
    axes[0].set_xlabel(f"line: the most important {OUTLINED:.0%}", fontsize=8)
    for place, name in zip(axes[1:], names, strict=True):
        units = explanation.units[name]
        if name == "importance":
            peak = max(abs(low), abs(high))
            limits = (-peak, peak) if explanation.signed else (low, high)
            note = "below zero: pushes the score down" if explanation.signed else "larger: matters more"
            _panel(figure, place, importance, name, units, "RdBu_r" if explanation.signed else "viridis", limits, note)
        elif name == "uncertainty":
            _panel(figure, place, values[name], name, units, "magma", _range(values[name]), "a spread, not an error")
        else:
            error = values[name]
            known = bool(np.isfinite(error).any())
            top = max((high - low) / 4, float(np.nanmax(error)) if known else 0.0)
            typical = float(np.nanmean(error)) if known else 0.0
            note = f"of the importance; mean {typical:.2g}, {typical / (high - low):.0%} of its range"
            note = note if known else "needs two blocks of masks"
            _panel(figure, place, error, "standard error", units, "cividis", (0.0, top), note)
    figure.suptitle(_title(explanation), fontsize=10)
    return figure


def save_figure(figure: Figure, path: str | PathLike[str]) -> None:
    """Write a figure in the format of the path's ending; the file is there whole or not at all."""
    kind = Path(path).suffix.lower().lstrip(".")
    if kind not in FORMATS:
        raise ArgumentError(
            f"expected a path that ends in {', '.join('.' + name for name in FORMATS)}, got {str(path)!r}"
        )
    with atomic_write(path) as file:
        figure.savefig(file, format=kind)


def _picture(explanation: Explanation) -> np.ndarray:
    if explanation.picture is not None:
        return explanation.picture
    tensor = explanation.input[:3] if explanation.input.shape[0] >= 3 else explanation.input[:1].repeat(3, axis=0)
    low, high = float(tensor.min()), float(tensor.max())
    return np.moveaxis((tensor - low) / max(high - low, 1e-12), 0, -1)


def _sized(explanation: Explanation, name: str, shape: tuple[int, ...]) -> np.ndarray:
    """A map at the picture's size, made as small as the picture that was kept."""
    from skimage.transform import resize

    values = explanation.at_picture_size(name)
    if values.shape == shape[:2]:
        return values
    return np.asarray(resize(values, shape[:2], order=1, mode="edge", anti_aliasing=False))


def _range(values: np.ndarray) -> tuple[float, float]:
    if not np.isfinite(values).any():
        return 0.0, 1.0
    low, high = float(np.nanmin(values)), float(np.nanmax(values))
    return (low, high) if high > low else (low - 0.5, high + 0.5)


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
    axes.set_xticks([])
    axes.set_yticks([])
    bar = figure.colorbar(image, ax=axes, fraction=0.046, pad=0.02)
    bar.set_label(units, fontsize=8)
    bar.ax.tick_params(labelsize=7)
    bar.formatter.set_powerlimits((-3, 3))  # type: ignore[attr-defined]


def _outline(axes: Any, importance: np.ndarray) -> None:
    axes.set_xticks([])
    axes.set_yticks([])
    finite = importance[np.isfinite(importance)]
    if finite.size == 0 or finite.min() == finite.max():
        return
    level = float(np.quantile(finite, 1 - OUTLINED))
    axes.contour(importance, levels=[level], colors="white", linewidths=3)
    axes.contour(importance, levels=[level], colors="black", linewidths=1.2)


def _title(explanation: Explanation) -> str:
    settings = explanation.settings
    name = Path(str(settings["input"]["source"])).name
    parts = [name, f"{settings['method']} of {settings['encoder'].get('name')}"]
    if settings["against"] is not None:
        parts.append(f"against {Path(str(settings['against']['source'])).name} (score {explanation.score:.3f})")
    cost = settings["cost"]
    parts.append(f"{explanation.n_masks} masks" if explanation.n_masks else f"{cost['forwards']} forwards")
    if np.isfinite(explanation.reliability):
        parts.append(f"reliability {explanation.reliability:.3f}")
    return "   ·   ".join(parts)
