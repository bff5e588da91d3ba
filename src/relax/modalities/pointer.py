"""Values under the pointer: invisible cells over a figure, each with a text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.artist import Artist

from relax._support.averaging import averaged
from relax.modalities.shown import Shown

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

CELLS = 14
"""Most cells along the longer side of a map."""

MOST = 800
"""Most cells of all maps of a figure together: a cell is some 40 bytes of the page."""

Edges = Sequence[float] | np.ndarray
"""Edges of columns or rows."""

OUTSIDE = "outside the encoder's crop"

STYLE = (
    "<style>.relax-figure{position:relative;display:inline-block;max-width:100%}"
    ".relax-figure>div{position:absolute;display:grid}.relax-figure i:hover{outline:2px solid #fff;"
    "box-shadow:0 0 0 4px #222}</style>"
)


class Cells(Artist):
    """Invisible cells of a grid over axes, with a text each, for pages; a picture of the figure is not changed.

    Args:
        x: edges of the columns in data coordinates, one more than columns.
        y: edges of the rows in data coordinates, one more than rows.
        texts: rows of texts; an empty text is a gap.
    """

    def __init__(self, x: Edges, y: Edges, texts: Sequence[Sequence[str]]) -> None:
        super().__init__()
        self.x, self.y = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
        self.texts = np.asarray(texts, dtype=object)
        self.set_in_layout(False)

    def html(self, size: tuple[float, float]) -> str:
        """The cells as HTML over the picture of the figure.

        Args:
            size: width and height of the figure in pixels; the figure has been drawn.
        """
        axes: Any = self.axes
        at = axes.transData.transform
        low, high = axes.bbox.p0, axes.bbox.p1
        x = np.clip(at([(edge, axes.get_ylim()[0]) for edge in self.x])[:, 0], low[0], high[0])
        y = np.clip(at([(axes.get_xlim()[0], edge) for edge in self.y])[:, 1], low[1], high[1])
        texts = self.texts
        if x[0] > x[-1]:
            x, texts = x[::-1], texts[:, ::-1]
        if y[0] < y[-1]:  # pixels count from below, rows of a page from above
            y, texts = y[::-1], texts[::-1]
        place = {"left": x[0] / size[0], "top": 1 - y[0] / size[1]}
        place |= {"width": (x[-1] - x[0]) / size[0], "height": (y[0] - y[-1]) / size[1]}
        placed = ";".join(f"{name}:{100 * value:.2f}%" for name, value in place.items())
        cells = "".join(f'<i title="{escape(str(text))}"></i>' if text else "<i></i>" for text in texts.ravel())
        return f'<div style="{placed};grid-template:{_tracks(-y)}/{_tracks(x)}">{cells}</div>'


def cells_of(figure: Figure) -> str:
    """All cells of a figure that has been drawn, as HTML."""
    size = (float(figure.bbox.width), float(figure.bbox.height))
    found: list[Any] = figure.findobj(Cells)
    return "".join(cells.html(size) for cells in found)


def read_map(axes: Axes, values: Mapping[str, np.ndarray], share: int = 4, cells: int = CELLS) -> None:
    """Put the values of maps under the pointer: their means over blocks, at most ``CELLS`` along a side.

    Args:
        axes: axes on which a picture of the maps' shape is drawn, pixel by pixel.
        values: maps ``(H, W)`` of one shape by name; NaN outside the encoder's crop. The name of one alone is not said.
        share: number of maps in the figure, which share the cells.
        cells: most cells along the longer side.
    """
    shape = next(iter(values.values())).shape
    most = max(2, min(cells, int((MOST / share) ** 0.5)))
    rows, columns = (max(1, min(side, round(most * side / max(shape)))) for side in shape)
    means = {name: block_means(one, (rows, columns)) for name, one in values.items()}
    words = {name: _numbers(one) for name, one in means.items()}
    texts = [
        [
            OUTSIDE
            if np.isnan(next(iter(means.values()))[row, column])
            else "\n".join(
                f"{name} {one[row][column]}" if len(words) > 1 else one[row][column] for name, one in words.items()
            )
            for column in range(columns)
        ]
        for row in range(rows)
    ]
    left, right, bottom, top = axes.images[-1].get_extent()
    axes.add_artist(Cells(np.linspace(left, right, columns + 1), np.linspace(top, bottom, rows + 1), texts))


def read_bars(axes: Axes, spans: Sequence[tuple[float, float]], texts: Sequence[str], *, upright: bool = True) -> None:
    """Put a text under the pointer over each bar of a plot, over its whole length.

    Args:
        axes: the axes.
        spans: start and stop of each bar in data coordinates, in increasing order.
        texts: what to say of each.
        upright: whether bars stand side by side; else they lie below each other.
    """
    edges: list[float] = []
    said: list[str] = []
    for (start, stop), text in zip(spans, texts, strict=True):
        if edges and start > edges[-1]:
            said.append("")
            edges.append(start)
        edges += [stop] if edges else [start, stop]
        said.append(text)
    if not said:
        return
    across = axes.get_ylim() if upright else axes.get_xlim()
    axes.add_artist(Cells(edges, across, [said]) if upright else Cells(across, edges, [[text] for text in said]))


def said(explanation: Shown, names: Sequence[str]) -> list[str]:
    """What to say of each unit: its name, effect, standard error and uncertainty.

    Args:
        explanation: an explanation with one value a unit.
        names: names of the units; numbers if there are none.
    """
    effect = explanation.effect.ravel()
    finite = effect[np.isfinite(effect)]
    spread = float(np.ptp(np.append(finite, 0.0)))
    texts = []
    for unit, value in enumerate(effect):
        text = f"{names[unit] if unit < len(names) else unit}: effect {number(float(value), spread)}"
        if explanation.standard_error is not None:
            error = float(explanation.standard_error.ravel()[unit])
            text += f" ± {number(error, spread)}" if error else " (exact)"
        if explanation.uncertainty is not None:
            text += f"\nuncertainty {float(explanation.uncertainty.ravel()[unit]):.3g}"
        texts.append(text)
    return texts


def block_means(values: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Means of a map over blocks, without what is not finite; NaN for blocks that are mostly without values.

    Args:
        values: ``(H, W)``.
        shape: rows and columns of blocks, at most H and W.

    Returns:
        Float64 of the shape.
    """
    finite = np.isfinite(values)
    weights = averaged(finite.astype(np.float64), shape).astype(np.float64)
    sums = averaged(np.where(finite, values, 0.0), shape).astype(np.float64)
    return np.where(weights >= 0.5, sums / np.maximum(weights, 1e-9), np.nan)


def number(value: float, spread: float) -> str:
    """A value with as many digits as tell it from others.

    Args:
        value: the value.
        spread: largest less smallest of the values that it is among; three digits of it are kept.
    """
    if not np.isfinite(value):
        return "none"
    if spread <= 1e-6 or abs(value) >= 1e6 or (spread < 1e-5 and abs(value) < 1e-3):
        return f"{value:.4g}"
    return f"{value:.{int(np.clip(np.ceil(2 - np.log10(spread)), 0, 9))}f}"


def _numbers(values: np.ndarray) -> list[list[str]]:
    finite = values[np.isfinite(values)]
    spread = float(np.ptp(finite)) if finite.size else 0.0
    return [[number(float(value), spread) for value in row] for row in values]


def _tracks(edges: np.ndarray) -> str:
    """Widths of columns, or heights of rows, for a CSS grid."""
    widths = np.diff(edges)
    if np.allclose(widths, widths[0], rtol=1e-3):
        return f"repeat({len(widths)},1fr)"
    return " ".join(f"{max(width, 0.0):.1f}fr" for width in widths)
