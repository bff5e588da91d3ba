"""Figures of matches and differences: the inputs, their maps on one colour scale, and which region answers which."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from textwrap import fill
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.patheffects import withStroke

from relax._support.figures import literal
from relax.modalities import Prepared
from relax.modalities.image.pictures import thumbnail
from relax.modalities.image.showing import WIDTH, bare, outline, picture_of, sized
from relax.modalities.pointer import read_map
from relax.modalities.shown import Shown

if TYPE_CHECKING:
    from matplotlib.axes import Axes

PANEL = 3.0
"""Width of a panel in inches."""

TITLE = 36
"""Maximum number of characters of a panel's title, which would be cut off at the edge of the figure."""

CLEAR = 2.0
"""Number of standard errors from which an interaction counts as found."""

REGIONS = 3
"""Number of regions of the first input that are shown."""

SHARED = 4 + REGIONS
"""Maps of a match with values under the pointer."""


def plot_match(a: Shown, b: Shown, similarity: float, interactions: Any) -> Figure:
    """Plot a match.

    The first row shows both inputs and how each part contributes to the similarity; zero is neutral. The second row
    boxes the strongest regions of the first input and shows their interactions with every region of the second; the
    region that answers most is boxed. Interactions within two standard errors are blank, and a region without a clear
    answer gets no box. All interaction maps share one colour scale.

    Args:
        a: explanation of the first input against the second.
        b: explanation of the second input against the first.
        similarity: similarity of their representations.
        interactions: interactions of their regions; ``None`` omits the second row.
    """
    answers = [] if interactions is None else interactions.answers(a.effect, REGIONS)
    rows = 1 + (1 if answers else 0)
    figure = Figure(figsize=(4 * PANEL + 1.2, rows * (PANEL + 0.45) + 0.4), layout="constrained", dpi=110)
    FigureCanvasAgg(figure)
    grid = figure.add_gridspec(rows, 4)
    places = [figure.add_subplot(grid[0, column]) for column in range(4)]
    _pair(figure, places, a, b)
    if interactions is not None:
        _regions(figure.add_subfigure(grid[1, :]), a, b, interactions, answers)
    names = f"{_name(a) or 'a'} and {_name(b) or 'b'}"
    figure.suptitle(literal(f"{names}   ·   {a.measures['importance']} {similarity:.3f}"), fontsize=10)
    return figure


def plot_difference(e: Any, a: Prepared, b: Prepared, similarity: float, found: bool) -> Figure:
    """Plot two pictures with a line around the parts that make them less alike, and the map.

    Args:
        e: explanation of the cosine similarity of the two, under masks applied to both.
        a: the first picture, preprocessed.
        b: the second picture, preprocessed.
        similarity: cosine similarity of their representations.
        found: whether some part clearly makes them less alike.
    """
    pictures = [
        picture_of(replace(e, inputs={"image": side.tensor.cpu().numpy()}, presentation=thumbnail(side.presentation)))
        for side in (a, b)
    ]
    effect = sized(e, "importance", pictures[0].shape) - e.neutral
    peak = float(np.nanmax(np.abs(effect))) or 1.0
    figure = Figure(figsize=(3 * PANEL + 1.6, PANEL + 0.9), layout="constrained", dpi=110)
    FigureCanvasAgg(figure)
    axes = figure.subplots(1, 3)
    for place, name, side, picture in zip(axes, "ab", (a, b), pictures, strict=False):
        place.imshow(picture, extent=(0, effect.shape[1], effect.shape[0], 0))
        if found:
            outline(place, -effect)
        source = Path(str(side.source["source"])).name
        place.set_title(literal(_short(f"{name}: {source}")), fontsize=9)
        note = "line: the 20 % that differ most" if found else "no distinguishing part found"
        place.set_xlabel(note, fontsize=8)
    image = axes[2].imshow(effect, cmap="RdBu_r", vmin=-peak, vmax=peak)
    for place in axes:
        read_map(place, {"effect": effect}, len(axes))
    axes[2].set_title("what distinguishes them is blue", fontsize=9)
    axes[2].set_xlabel("blue: showing it in both makes them less alike, red: more", fontsize=8)
    for place in axes:
        bare(place)
    bar = figure.colorbar(image, ax=axes[2], fraction=0.046, pad=0.02)
    bar.set_label(fill("change of the cosine similarity", WIDTH), fontsize=8)
    bar.ax.tick_params(labelsize=7)
    figure.suptitle(f"cosine similarity {similarity:.3f}   ·   {e.n_masks} masks on both", fontsize=10)
    return figure


def _pair(figure: Figure, places: list[Axes], a: Shown, b: Shown) -> None:
    """Draw both inputs and their maps, on one colour scale."""
    sides = []
    for e in (a, b):
        picture = picture_of(e)
        sides.append((e, picture, sized(e, "importance", picture.shape) - e.neutral))
    peak = max(float(np.nanmax(np.abs(effect))) for _, _, effect in sides) or 1.0
    for column, (e, picture, effect) in enumerate(sides):
        name = "ab"[column]
        places[2 * column].imshow(picture)
        outline(places[2 * column], effect)
        places[2 * column].set_title(literal(_short(f"{name}: {_name(e)}" if _name(e) else name)), fontsize=9)
        places[2 * column].set_xlabel("line: the 20 % that match most", fontsize=8)
        image = places[2 * column + 1].imshow(effect, cmap="RdBu_r", vmin=-peak, vmax=peak)
        for place in places[2 * column : 2 * column + 2]:
            read_map(place, {"effect": effect}, SHARED)
        places[2 * column + 1].set_title(f"what in {name} matches {'ba'[column]}", fontsize=9)
        places[2 * column + 1].set_xlabel("red: makes them more alike, blue: less", fontsize=8)
    for place in places:
        bare(place)
    bar = figure.colorbar(image, ax=places[3], fraction=0.046, pad=0.02)
    bar.set_label(fill(f"change of the {a.measures['importance']}", WIDTH), fontsize=8)
    bar.ax.tick_params(labelsize=7)


def _regions(figure: Any, a: Shown, b: Shown, interactions: Any, answers: list[dict[str, Any]]) -> None:
    """Draw the strongest regions of a, and the interactions of each with the regions of b."""
    maps = [interactions.map_of(row["cell"], CLEAR) for row in answers]
    peak = max(float(np.nanmax(np.abs(interactions.map_of(row["cell"])))) for row in answers) or 1.0
    axes = figure.subplots(1, 1 + len(answers))
    picture_a, picture_b = picture_of(a), picture_of(b)
    axes[0].imshow(picture_a)
    axes[0].set_title("regions of a", fontsize=9)
    for number, (row, values, place) in enumerate(zip(answers, maps, axes[1:], strict=True), start=1):
        color = f"C{number}"
        _box(axes[0], picture_a.shape, row["cell"], interactions.cells, color, str(number))
        height, width = picture_b.shape[:2]
        place.imshow(picture_b, alpha=0.45)
        image = place.imshow(
            values, cmap="RdBu_r", vmin=-peak, vmax=peak, extent=(0, width, height, 0), alpha=0.6, aspect="auto"
        )
        place.set_aspect("equal")
        read_map(place, {"interaction": interactions.map_of(row["cell"])}, SHARED)
        clear = row["interaction"] >= CLEAR * row["standard_error"]
        if clear:
            _box(place, picture_b.shape, row["answer"], interactions.cells, color, str(number))
        place.set_title(f"{'what' if clear else 'nothing clear'} in b answers region {number}", fontsize=9)
        place.set_xlabel(f"{row['interaction']:.2g} ± {row['standard_error']:.1g} (standard error)", fontsize=8)
    for place in axes:
        bare(place)
    bar = figure.colorbar(image, ax=axes[-1], fraction=0.046, pad=0.02)
    bar.set_label(f"interaction (blank: within {CLEAR:.0f} standard errors)", fontsize=7)
    bar.ax.tick_params(labelsize=7)


def _box(axes: Axes, shape: tuple[int, ...], cell: tuple[int, int], cells: int, color: str, label: str) -> None:
    """Draw a labelled box around a cell."""
    height, width = shape[0] / cells, shape[1] / cells
    corner = (cell[1] * width, cell[0] * height)
    axes.add_patch(Rectangle(corner, width, height, fill=False, edgecolor=color, linewidth=2.5))
    center = (corner[0] + width / 2, corner[1] + height / 2)
    text = axes.text(*center, label, color=color, weight="bold", ha="center", va="center")
    text.set_path_effects([withStroke(linewidth=3, foreground="white")])


def _short(title: str) -> str:
    """A title that fits over its panel."""
    return title if len(title) <= TITLE else title[: TITLE - 1] + "…"


def _name(e: Shown) -> str:
    """Name of the input's file; empty for an input without a file."""
    source = str(e.settings["input"]["source"])
    return "" if source in ("tensor", "array", "PIL image") else Path(source).name
