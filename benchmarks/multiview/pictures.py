"""Pictures of docs/multiview.md."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from benchmarks.multiview.clusterings import comvc
from benchmarks.multiview.explanations import LEVELS, explained, members, of
from relax._support.figures import save_figure
from relax.datasets.fashion import CLASSES
from relax.evaluation import interval
from relax.modalities.image.showing import bare
from relax.multiview.data import fashion_edges

PER_ROW = 5
"""Clusters in a row of the picture of members."""


def plot_members(folder: Path) -> list[dict[str, Any]]:
    """The surest and the least sure member of each cluster, a picture each; returns what is in them."""
    views = fashion_edges()
    model = comvc("fashion-edges", True, 0, views)[0]
    chosen = members(model, views)
    assignments = model.predict_proba(views.views)
    found = [[explained(model, of(views, row), row) for row in rows] for rows in zip(*chosen, strict=True)]
    peak = max(float(np.abs(e.effect).max()) for kind in found for views_ in kind for e in views_.values())
    rows = []
    for number, name in enumerate(("typical", "ambiguous")):
        figure = Figure(figsize=(1.25 * len(chosen) + 1.0, 6.0), layout="constrained", dpi=110)
        FigureCanvasAgg(figure)
        axes = figure.subplots(4, len(chosen))
        for column, (pair, explanations) in enumerate(zip(chosen, found[number], strict=True)):
            row = pair[number]
            cluster = int(assignments[row].argmax())
            share = explanations.shares.values["edges"] if explanations.shares else np.nan
            for line, key in enumerate(("image", "edges")):
                axes[2 * line, column].imshow(views.views[key][row, 0], cmap="gray_r")
                image = axes[2 * line + 1, column].imshow(
                    explanations[key].effect, cmap="RdBu_r", vmin=-peak, vmax=peak
                )
            axes[0, column].set_title(f"cluster {cluster}\n{CLASSES[views.labels[row]]}", fontsize=7)
            axes[3, column].set_xlabel(f"assigned {assignments[row].max():.2f}\nshare of edges {share:.2f}", fontsize=7)
            rows.append({"kind": name, "cluster": cluster, "assignment": float(assignments[row].max()), "share": share})
        for place, label in zip(axes[:, 0], ("image", "its map", "edges", "their map"), strict=True):
            place.set_ylabel(label, fontsize=8)
        for place in axes.flat:
            bare(place)
        bar = figure.colorbar(image, ax=axes[1::2].ravel().tolist(), fraction=0.03, pad=0.01)
        bar.set_label("change of the cosine similarity", fontsize=8)
        bar.ax.tick_params(labelsize=7)
        figure.suptitle(f"The {'most' if name == 'typical' else 'least'} certain member of each cluster", fontsize=10)
        save_figure(figure, folder / f"{name}.png")
    return rows


def plot_noise(table: pd.DataFrame, folder: Path) -> None:
    """Share and uncertainty of the edges under noise."""
    figure = Figure(figsize=(9, 3.2), layout="constrained", dpi=110)
    FigureCanvasAgg(figure)
    shares, uncertainties = figure.subplots(1, 2)
    for number, (training, rows) in enumerate(table.groupby("trained")):
        for axes, name in ((shares, "share of the edges"), (uncertainties, "uncertainty of the edges")):
            means = [interval(rows[rows["noise"] == level][name]) for level in LEVELS]
            middle, low, high = (np.array([m[i] for m in means]) for i in range(3))
            axes.errorbar(
                LEVELS,
                middle,
                yerr=(middle - low, high - middle),
                marker="o",
                capsize=3,
                color=f"C{number}",
                label=f"trained {training} noise",
            )
    shares.axhline(0.5, color="0.6", linewidth=0.8)
    shares.set_ylabel("share of the edges")
    uncertainties.set_ylabel("mean uncertainty of the edges\n(variance of the cosine)")
    for axes in (shares, uncertainties):
        axes.set_xlabel("standard deviation of the noise on the edges")
        axes.legend(fontsize=8)
    save_figure(figure, folder / "noise.png")


def plot_thresholds(table: pd.DataFrame, folder: Path) -> None:
    """Complexity and faithfulness over thresholds, in each view."""
    names = ("complexity", "sparseness", "insertion-deletion")
    figure = Figure(figsize=(11, 3.4), layout="constrained", dpi=110)
    FigureCanvasAgg(figure)
    methods = [name for name in dict.fromkeys(table["method"]) if name != "random"]
    for axes, name in zip(figure.subplots(1, len(names)), names, strict=True):
        for number, (view, rows) in enumerate(table.groupby("view")):
            means = [interval(rows[rows["method"] == method][name].dropna()) for method in methods]
            middle, low, high = (np.array([m[i] for m in means]) for i in range(3))
            axes.errorbar(
                range(len(methods)),
                middle,
                yerr=(middle - low, high - middle),
                marker="o",
                capsize=3,
                color=f"C{number}",
                label=view,
            )
        axes.set_xticks(range(len(methods)), [method.replace("U-RELAX, ", "") for method in methods])
        axes.set_xlabel("share of the pixels kept by U-RELAX", fontsize=8)
        axes.set_title(name, fontsize=9)
        axes.legend(fontsize=8)
    save_figure(figure, folder / "thresholds.png")
