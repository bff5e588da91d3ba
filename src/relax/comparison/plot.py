"""Figure of a comparison: encoders in rows, methods in columns, agreement below."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from relax._support.figures import literal
from relax.explanation import Explanation
from relax.modalities.image.showing import bare, outline, picture_of, range_of, sized
from relax.modalities.pointer import read_map

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Explanations = Mapping[tuple[str, str], Explanation]
Reasons = Mapping[tuple[str, str], str]

CLIPPED = 0.005
"""Share of the pixels at either end that the colour scale clips."""


def plot_comparison(explanations: Explanations, refused: Reasons, agreement: list[dict[str, Any]]) -> Figure:
    """Plot the maps of several encoders and methods, and two matrices of their agreement.

    Maps of different encoders have different levels, so each is standardised: deviations from its mean in units of
    its standard deviation over pixels (signed maps: from neutral, in units of the root mean square). Within a method
    all encoders share one colour scale; the range in the map's own units is written below it.

    Args:
        explanations: explanations by ``(encoder, method)``.
        refused: reasons for missing explanations, by ``(encoder, method)``.
        agreement: one row per pair of explanations, as from :meth:`relax.comparison.Comparison.agreement`.
    """
    keys = [*explanations, *refused]
    encoders, methods = (list(dict.fromkeys(key[side] for key in keys)) for side in (0, 1))
    picture = picture_of(next(iter(explanations.values())))
    row_height = min(max(picture.shape[0] / picture.shape[1], 0.4), 2.0) * 2.5 + 0.55  # inches
    n = len(explanations)
    maps_height = len(encoders) * row_height + 0.4
    matrices_height = 1.6 + 0.34 * n if n > 1 else 0.0
    columns = 1 + len(methods)
    inches = (max(2.7 * columns + 0.8, 8.5), maps_height + matrices_height)
    figure = Figure(figsize=inches, layout="constrained", dpi=110)
    FigureCanvasAgg(figure)
    top: Any = figure
    if n > 1:
        parts: Any = figure.subfigures(2, 1, height_ratios=[maps_height, matrices_height])
        top = parts[0]
        _matrices(parts[1], list(explanations), agreement)
    axes = top.subplots(len(encoders), columns, squeeze=False)
    for row, encoder in enumerate(encoders):
        bare(axes[row, 0])
        axes[row, 0].imshow(picture)
        axes[row, 0].set_ylabel(literal(encoder), fontsize=9)
    axes[0, 0].set_title("input", fontsize=10)
    for column, method in enumerate(methods, start=1):
        _column(top, axes[:, column], explanations, refused, encoders, method, picture.shape)
    return figure


def _column(
    figure: Any,
    axes: np.ndarray,
    explanations: Explanations,
    refused: Reasons,
    encoders: list[str],
    method: str,
    shape: tuple[int, ...],
) -> None:
    """Draw the maps of all encoders by one method, on one colour scale."""
    share = len(explanations)
    axes[0].set_title(literal(method), fontsize=10)
    shown = {}
    for place, encoder in zip(axes, encoders, strict=True):
        bare(place)
        explanation = explanations.get((encoder, method))
        if explanation is None:
            lines = textwrap.wrap(refused[encoder, method].partition(";")[0], 30)
            reason = "\n".join(literal(line) for line in lines)
            place.text(0.5, 0.5, reason, ha="center", va="center", fontsize=6, transform=place.transAxes)
        else:
            shown[encoder] = (place, explanation, sized(explanation, "importance", shape))
    if not shown:
        return
    standardised = {encoder: _standardised(explanation, values) for encoder, (_, explanation, values) in shown.items()}
    finite = np.concatenate([values[np.isfinite(values)] for values in standardised.values()])
    low, high = np.quantile(finite, [CLIPPED, 1 - CLIPPED])
    signed = next(iter(shown.values()))[1].signed
    if signed:
        high = max(abs(low), abs(high))
        low = -high
    for encoder, (place, explanation, values) in shown.items():
        image = place.imshow(standardised[encoder], cmap="RdBu_r" if signed else "viridis", vmin=low, vmax=high)
        outline(place, values)
        read_map(place, {"importance": values}, share)
        smallest, largest = range_of(values)
        place.set_xlabel(f"{smallest:.3g} to {largest:.3g}\n{explanation.measures['importance']}", fontsize=6.5)
    bar = figure.colorbar(image, ax=list(axes), location="bottom", fraction=0.02, pad=0.01, shrink=0.8)
    bar.set_label(
        "deviation from neutral (RMS units)" if signed else "standard deviations from the map's mean", fontsize=6.5
    )
    bar.ax.tick_params(labelsize=6)


def _standardised(explanation: Explanation, values: np.ndarray) -> np.ndarray:
    """Deviations from the mean, or from neutral for a signed map, in units of their root mean square."""
    center = explanation.neutral if explanation.signed else float(np.nanmean(values))
    scale = float(np.sqrt(np.nanmean((values - center) ** 2)))
    return (values - center) / (scale or 1.0)


def _matrices(figure: Any, keys: list[tuple[str, str]], agreement: list[dict[str, Any]]) -> None:
    """Draw the rank correlations and the overlaps of all pairs of maps."""
    names = [literal(f"{encoder} · {method}") for encoder, method in keys]
    axes = figure.subplots(1, 2)
    for place, column, title, colors, low in (
        (axes[0], "spearman", "rank correlation of maps (Spearman)", "RdBu_r", -1),
        (axes[1], "top 20 % overlap", "overlap of the top 20 % (chance: 0.2)", "viridis", 0),
    ):
        matrix = np.eye(len(keys))
        for pair in agreement:
            i = keys.index((pair["encoder"], pair["method"]))
            j = keys.index((pair["other encoder"], pair["other method"]))
            matrix[i, j] = matrix[j, i] = pair[column]
        _matrix(place, matrix, names, colors, low)
        place.set_title(title, fontsize=8)


def _matrix(axes: Axes, matrix: np.ndarray, names: list[str], colors: str, low: float) -> None:
    """Draw one matrix with its values as text."""
    axes.imshow(matrix, cmap=colors, vmin=low, vmax=1)
    for i, j in np.ndindex(*matrix.shape):
        dark = abs(matrix[i, j]) > 0.7 if low < 0 else matrix[i, j] < 0.6
        axes.text(j, i, f"{matrix[i, j]:.2f}", ha="center", va="center", fontsize=6, color="white" if dark else "black")
    axes.set_xticks(range(len(names)), names, rotation=35, ha="right", fontsize=6)
    axes.set_yticks(range(len(names)), names, fontsize=6)
