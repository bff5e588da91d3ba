"""A report in a notebook: its sentences, its mean maps with their values under the pointer, its groups."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from relax._support.tabulated import Cell, figure, paragraph, table_of
from relax.insights.page import NAMES, sentences
from relax.modalities.pointer import read_map
from relax.modalities.showing import as_html, as_png

if TYPE_CHECKING:
    from relax.insights.report import Insight

GROUPS = 4
"""Most groups whose mean map is drawn."""


def html_of(found: Insight) -> str:
    """The report in short; ``write(folder)`` makes the whole page.

    Args:
        found: the report.
    """
    parts = [paragraph(f"{found.rows.encoder}, {len(found.rows)} inputs. {' '.join(sentences(found))}")]
    drawn = plot_maps(found)
    if drawn is not None:
        parts.append(as_html(drawn, "Mean map of all inputs, and of groups of inputs"))
    rows = []
    for name, (value, low, high) in found.summary.figures.items():
        more = f"95 % interval {figure(low)} to {figure(high)}"
        rows.append([NAMES.get(name, name), Cell(figure(value), more), figure(found.summary.areas.get(name))])
    parts.append(table_of(["share or figure", "mean", "if all units were equal"], rows))
    if found.groups:
        lines = [
            [
                number,
                len(group.members),
                Cell(figure(group.suspicion), strong=group in found.suspicious),
                _typical(found, group.members),
            ]
            for number, group in enumerate(found.groups)
        ]
        parts.append(table_of(["group", "inputs", "suspicion", "most typical"], lines))
    parts += [paragraph(f"Note: {note}.") for note in found.notes]
    return f"<div>{''.join(parts)}</div>"


def png_of(found: Insight) -> bytes | None:
    """The mean maps as PNG; ``None`` where units differ from input to input.

    Args:
        found: the report.
    """
    drawn = plot_maps(found)
    return None if drawn is None else as_png(drawn)


def plot_maps(found: Insight) -> Figure | None:
    """The mean map of all inputs, and mean shares of the most suspicious groups; ``None`` if maps are no pictures.

    Args:
        found: the report.
    """
    mean = found.summary.mean_map
    if mean is None or mean.ndim != 2:
        return None
    groups = [(n, one) for n, one in enumerate(found.groups[:GROUPS]) if one.map is not None and one.map.ndim == 2]
    drawn = Figure(figsize=(2.5 * (1 + len(groups)) + 0.6, 2.7), layout="constrained", dpi=110)
    FigureCanvasAgg(drawn)
    axes = np.atleast_1d(drawn.subplots(1, 1 + len(groups)))
    maps = [("all inputs: mean effect", mean)]
    maps += [(f"group {n}: {len(one.members)} inputs, share", np.asarray(one.map)) for n, one in groups]
    for place, (title, values) in zip(axes, maps, strict=True):
        place.imshow(values, cmap="Greys")
        place.set_title(title, fontsize=8)
        place.set_xticks([])
        place.set_yticks([])
        read_map(place, {"value": values}, len(maps))
    drawn.supxlabel("darker is more", fontsize=8)
    return drawn


def _typical(found: Insight, members: list[int]) -> str:
    return ", ".join(str(found.rows.keys[place]) for place in members[:3])
