"""The picture of docs/insight.md: the first group of an affected encoder for each artefact, and all suspicions."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from benchmarks.insight.artefacts import ARTEFACTS
from benchmarks.insight.encoders import Kind
from benchmarks.insight.runs import store
from relax._support.figures import save_figure
from relax.insights import insight
from relax.insights.drawing import thumbnail
from relax.insights.groups import SUSPICIOUS
from relax.modalities.image.showing import bare

SHOWN = 5


def plot(rows: pd.DataFrame, folder: Path, seed: int) -> None:
    """First groups of supervised encoders with a use for each artefact, and the suspicions of all encoders."""
    folder.mkdir(parents=True, exist_ok=True)
    figure = Figure(figsize=(11, 6.2), layout="constrained", dpi=100)
    FigureCanvasAgg(figure)
    grid = figure.add_gridspec(len(ARTEFACTS), SHOWN + 4)
    for line, artefact in enumerate(ARTEFACTS):
        found = insight(store(Kind(artefact, "supervised", True, seed)))
        group = found.groups[0]
        for column, place in enumerate(group.members[:SHOWN]):
            axes = figure.add_subplot(grid[line, column])
            picture = found.seen.picture(place)
            if picture is not None:
                axes.imshow(np.asarray(thumbnail(picture, found.rows.importance[place], 160)))
            bare(axes)
            if column == 0:
                axes.set_ylabel(f"{artefact}\n{group.suspicion:.2f}", fontsize=9)
    axes = figure.add_subplot(grid[:, SHOWN:])
    names = list(ARTEFACTS)
    for useful, marker, shift in ((True, "^", -0.12), (False, "o", 0.12)):
        some = rows[rows["useful"] == useful]
        axes.scatter(
            some["top report"],
            [names.index(name) + shift for name in some["artefact"]],
            marker=marker,
            facecolors="black" if useful else "none",
            edgecolors="black",
            label="artefact of use" if useful else "of no use",
        )
    axes.axvline(SUSPICIOUS, color="0.5", linestyle="--", linewidth=1)
    axes.set_yticks(range(len(names)), names)
    axes.invert_yaxis()
    axes.yaxis.tick_right()
    axes.set_xlabel("suspicion of the encoder's first group", fontsize=9)
    axes.legend(fontsize=8, loc="lower right")
    figure.suptitle("First groups of supervised encoders with a use for the artefact; suspicions of all", fontsize=10)
    save_figure(figure, folder / "groups.png")
