"""The interactions of two inputs as a matrix, and the titles of figures of pairs."""

from __future__ import annotations

from typing import Any

import numpy as np

from relax._support.figures import literal
from relax.modalities.showing import called
from relax.modalities.shown import Shown

CLEAR = 2.0
"""Number of standard errors from which an interaction counts as found."""

WRITTEN = 12
"""Largest number of units on a side whose interactions are written into the matrix."""

LONGEST = 28
"""Maximum number of characters of a label."""


def draw_matrix(axes: Any, interactions: Any, rows: Any, columns: Any, labels: tuple[Any, Any], what: str) -> None:
    """Draw the interactions of chosen units; those within two standard errors are blank.

    Args:
        axes: where to draw.
        interactions: interactions of all units.
        rows: numbers of the units of the first input.
        columns: numbers of the units of the second input.
        labels: names of the units of both inputs.
        what: what a unit is, such as ``"column"``.
    """
    values = interactions.values[np.ix_(rows, columns)]
    blank = unclear(interactions)[np.ix_(rows, columns)]
    peak = float(np.abs(values).max()) or 1.0
    image = axes.imshow(np.where(blank, np.nan, values), cmap="RdBu_r", vmin=-peak, vmax=peak, aspect="auto")
    if max(values.shape) <= WRITTEN:
        for (row, column), value in np.ndenumerate(values):
            if not blank[row, column] and abs(value) >= peak / 50:
                color = "white" if abs(value) > 0.6 * peak else "black"
                axes.text(column, row, f"{value:+.2g}", ha="center", va="center", fontsize=7, color=color)
    axes.set_yticks(range(len(rows)), [short(labels[0][number]) for number in rows], fontsize=8)
    axes.set_xticks(range(len(columns)), [short(labels[1][number]) for number in columns], fontsize=8, rotation=40)
    for label in axes.get_xticklabels():
        label.set_ha("right")
        label.set_rotation_mode("anchor")
    axes.set_ylabel(f"{what} of a", fontsize=8)
    axes.set_xlabel(f"{what} of b", fontsize=8)
    axes.set_title(f"which {what} of b answers which {what} of a", fontsize=9)
    exact = not interactions.standard_error.any()
    note = "exact: all masks were tried" if exact else f"blank: within {CLEAR:.0f} standard errors"
    bar = axes.figure.colorbar(image, ax=axes, fraction=0.03, pad=0.01)
    bar.set_label(f"similarity that both bring\ntogether ({note})", fontsize=7)
    bar.ax.tick_params(labelsize=7)


def limits(a: Shown, b: Shown) -> tuple[float, float]:
    """Limits of the effects of both inputs with their errors."""
    ends = [0.0]
    for e in (a, b):
        error = np.zeros_like(e.effect) if e.standard_error is None else np.nan_to_num(e.standard_error)
        ends += [float(np.nanmin(e.effect - error)), float(np.nanmax(e.effect + error))]
    margin = 0.08 * (max(ends) - min(ends)) or 1.0
    return min(ends) - margin, max(ends) + margin


def unclear(interactions: Any) -> np.ndarray:
    """Whether each interaction is within two standard errors of 0."""
    blank: np.ndarray = np.abs(interactions.values) < CLEAR * interactions.standard_error
    return blank


def short(label: str) -> str:
    """A label on one line of a figure."""
    line = " ".join(str(label).split())
    return literal(line if len(line) <= LONGEST else f"{line[: LONGEST - 1]}…")


def alternative_of_pair(a: Shown, b: Shown, similarity: float) -> str:
    """What to read where the figure of two inputs is not shown: their names, and the title of the figure."""
    return f"{called(a.settings['input'])} and {called(b.settings['input'])}   ·   {title_of_pair(a, similarity)}"


def title_of_pair(a: Shown, similarity: float) -> str:
    """One-line title of a figure of two inputs: similarity, encoder, masks."""
    masks = f"{a.n_masks} masks on each" if a.n_masks else ""
    parts = [f"{a.measures['importance']} {similarity:.3f}", str(a.settings["encoder"].get("name")), masks]
    return literal("   ·   ".join(part for part in parts if part))
