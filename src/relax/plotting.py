"""Pictures of an explanation that can be read without its maker."""

from __future__ import annotations

import textwrap
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

    from relax.comparison import Comparison
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
    _bare(axes[0])
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


def plot_comparison(comparison: Comparison) -> Figure:
    """Maps of several encoders (down) and methods (across), and two matrices of their agreement.

    Within a method all encoders share one colour scale if their maps are in the same units and of comparable size;
    the range of each map is written under it. Signed maps are centred on zero.
    """
    explanations = comparison.explanations
    encoders = list(dict.fromkeys(name for name, _ in [*explanations, *comparison.refused]))
    methods = list(dict.fromkeys(name for _, name in [*explanations, *comparison.refused]))
    picture = _picture(next(iter(explanations.values())))
    ratio = min(max(picture.shape[0] / picture.shape[1], 0.4), 2.0)
    columns = max(1 + len(methods), 3)
    rows = len(encoders)
    size = len(explanations)
    below = 1.2 + 0.32 * size if size > 1 else 0.0
    figure = Figure(
        figsize=(2.6 * columns + 1.5, rows * (2.5 * ratio + 0.5) + below + 0.6), layout="constrained", dpi=110
    )
    FigureCanvasAgg(figure)
    if size > 1:
        parts: Any = figure.subfigures(2, 1, height_ratios=[rows * (2.5 * ratio + 0.5), below])
        top, bottom = parts[0], parts[1]
    else:
        top, bottom = figure, None
    axes = top.subplots(rows, 1 + len(methods), squeeze=False)
    for row, encoder in enumerate(encoders):
        _bare(axes[row, 0])
        axes[row, 0].imshow(picture)
        axes[row, 0].set_ylabel(encoder, fontsize=9)
        for column, method in enumerate(methods, start=1):
            _cell(axes[row, column], comparison, encoder, method, _scale(comparison, method), picture.shape)
            if row == 0:
                axes[row, column].set_title(method, fontsize=10)
    axes[0, 0].set_title("input", fontsize=10)
    if bottom is not None:
        _matrices(bottom, comparison)
    return figure


def _scale(comparison: Comparison, method: str) -> tuple[float, float]:
    """One colour scale for all encoders under a method."""
    chosen = [e for (_, name), e in comparison.explanations.items() if name == method]
    if not chosen:
        return 0.0, 1.0
    ranges = [_range(e.importance) for e in chosen]
    low, high = min(r[0] for r in ranges), max(r[1] for r in ranges)
    peak = max(abs(low), abs(high))
    return (-peak, peak) if chosen[0].signed else (low, high)


def _cell(
    axes: Axes, comparison: Comparison, encoder: str, method: str, limits: tuple[float, float], shape: tuple[int, ...]
) -> None:
    _bare(axes)
    explanation = comparison.explanations.get((encoder, method))
    if explanation is None:
        reason = "\n".join(textwrap.wrap(comparison.refused[encoder, method].partition(";")[0], 30))
        axes.text(0.5, 0.5, reason, ha="center", va="center", fontsize=6, transform=axes.transAxes)
        return
    values = _sized(explanation, "importance", shape)
    colors = "RdBu_r" if explanation.signed else "viridis"
    image = axes.imshow(values, cmap=colors, vmin=limits[0], vmax=limits[1])
    low, high = _range(values)
    axes.set_xlabel(f"{low:.3g} to {high:.3g} {explanation.units['importance']}", fontsize=6)
    _outline(axes, values)
    bar = axes.figure.colorbar(image, ax=axes, fraction=0.046, pad=0.02)
    bar.ax.tick_params(labelsize=5)


def _matrices(figure: Any, comparison: Comparison) -> None:
    keys = list(comparison.explanations)
    names = [f"{encoder} · {method}" for encoder, method in keys]
    axes = figure.subplots(1, 2)
    for place, column, title in (
        (axes[0], "spearman", "rank correlation of maps (Spearman)"),
        (axes[1], "top 20 % overlap", "overlap of the top 20 % (0.2 by chance)"),
    ):
        matrix = np.eye(len(keys))
        for pair in comparison.agreement():
            i = keys.index((pair["encoder"], pair["method"]))
            j = keys.index((pair["other encoder"], pair["other method"]))
            matrix[i, j] = matrix[j, i] = pair[column]
        place.imshow(
            matrix, cmap="RdBu_r" if column == "spearman" else "viridis", vmin=-1 if column == "spearman" else 0, vmax=1
        )
        for i, j in np.ndindex(*matrix.shape):
            color = "black" if column == "spearman" or matrix[i, j] > 0.6 else "white"
            place.text(j, i, f"{matrix[i, j]:.2f}", ha="center", va="center", fontsize=5, color=color)
        place.set_xticks(range(len(keys)), names, rotation=35, ha="right", fontsize=5)
        place.set_yticks(range(len(keys)), names, fontsize=5)
        place.set_title(title, fontsize=8)


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
    _bare(axes)
    bar = figure.colorbar(image, ax=axes, fraction=0.046, pad=0.02)
    bar.set_label(units, fontsize=8)
    bar.ax.tick_params(labelsize=7)
    bar.formatter.set_powerlimits((-3, 3))  # type: ignore[attr-defined]


def _bare(axes: Axes) -> None:
    axes.set_xticks([])
    axes.set_yticks([])


def _outline(axes: Axes, importance: np.ndarray) -> None:
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
