"""Pictures of docs/quality.md."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

import relax
from benchmarks.quality.runs import HALVES, LITE0, OPTIONS, SCENES, Run
from benchmarks.quality.variants import FINE, GRADIENT
from relax._support.figures import save_figure
from relax.datasets import open_dataset
from relax.evaluation import Evaluation, summary

if TYPE_CHECKING:
    from relax.datasets import Sample

SHOWN = 3


def plot_cost(rows: dict[str, pd.DataFrame], titles: dict[str, str]) -> Figure:
    """Insertion − deletion (blur) against forward-equivalents, a panel for each encoder."""
    figure = Figure(figsize=(13, 4.6), layout="constrained")
    for axis, (encoder, own) in zip(figure.subplots(1, len(rows)), rows.items(), strict=True):
        means = summary(own.assign(dataset="stamps"))
        means = means[means["metric"] == "insertion-deletion"]
        for row in means.to_dict("records"):
            cost = row["forwards"] + 2 * row["backwards"]
            color = "tab:red" if row["method"].startswith(("relax-fine", "relax-gradient")) else "tab:blue"
            error = [[row["mean"] - row["low"]], [row["high"] - row["mean"]]]
            axis.errorbar(cost, row["mean"], yerr=error, fmt="o", color=color, capsize=2, elinewidth=0.8)
            axis.annotate(row["method"], (cost, row["mean"]), xytext=(4, 3), textcoords="offset points", fontsize=7)
        axis.set(xscale="log", title=f"{titles[encoder]}, n = {means['n'].max()}")
        axis.set(xlabel="forwards, a backward counted as two", ylabel="insertion − deletion, fill blur")
        axis.margins(x=0.2)
    return figure


def plot_scenes(found: dict[str, tuple[Run, Evaluation]], folder: Path) -> list[str]:
    """The scenes on which the default is furthest above and below SmoothGrad; returns Markdown."""
    margins = {}
    for kind in SCENES:
        for half in HALVES:
            run, evaluation = found[f"{LITE0}-{kind}-{half}"]
            rows = evaluation.rows[evaluation.rows["metric"] == "insertion-deletion"]
            values = rows.pivot_table(index="input", columns="method", values="value")
            for name, margin in (values[FINE] - values["smoothgrad"]).dropna().items():
                margins[str(name)] = (float(margin), run.dataset, values.loc[name])
    ordered = sorted(margins.items(), key=lambda item: -item[1][0])
    lines = []
    encoder = relax.load_encoder(LITE0)
    for title, some in (("best", ordered[:SHOWN]), ("worst", ordered[-SHOWN:])):
        for number, (name, (margin, dataset, values)) in enumerate(some, 1):
            source = open_dataset(dataset, 0)
            index = next(i for i in range(len(source)) if source.id(i) == name)
            file = folder / f"{title}-{number}.png"
            save_figure(_scene(encoder, source[index], values), file)
            words = f"{title.capitalize()} {number}: {margin:+.3f} ({name})"
            lines += [f"![{words}](quality/{file.name})", "", f"*{words}*", ""]
    return lines


def _scene(encoder: relax.Encoder, sample: Sample, values: pd.Series) -> Figure:
    """A picture with the outline of its objects, and the maps of four methods with their insertion − deletion."""
    figure = Figure(figsize=(14, 3.2), layout="constrained")
    axes = figure.subplots(1, 5)
    axes[0].imshow(sample.picture)
    axes[0].set_title("scene")
    for axis, method in zip(axes[1:], (FINE, GRADIENT, "relax", "smoothgrad"), strict=True):
        e = relax.explain(encoder, sample.picture, method=method, **OPTIONS.get(method, {}))
        low, high = np.quantile(e.importance, (0.01, 0.995))
        shown = axis.imshow(e.importance, cmap="viridis", vmin=low, vmax=high)
        figure.colorbar(shown, ax=axis, shrink=0.8, label=e.measures["importance"])
        axis.set_title(f"{method}: {values[method]:.2f}")
        axis.contour(np.asarray(sample.mask, dtype=float), levels=[0.5], colors="white", linewidths=0.8)
    for axis in axes:
        axis.set_axis_off()
    return figure
