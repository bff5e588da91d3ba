"""Pictures of docs/quality.md."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from scipy.ndimage import gaussian_filter

import relax
from benchmarks.quality.runs import LITE0, Run
from benchmarks.quality.variants import ALL_SIZES, CONTROLS, DEFAULT, FULL, GRADIENT, QUICK, SIGMA
from relax._support.figures import save_figure
from relax.datasets import open_dataset
from relax.evaluation import Evaluation, summary
from relax.methods.gradients import SmoothGrad

SHOWN = 3
METRICS = ("relevance-gain", "single-deletion")


def plot_controls(rows: dict[str, pd.DataFrame], titles: dict[str, str]) -> Figure:
    """Both metrics of every method and control, a panel for each encoder and metric."""
    figure = Figure(figsize=(13, 8.5), layout="constrained")
    grid = figure.subplots(len(METRICS), len(rows), squeeze=False)
    for column, (encoder, own) in enumerate(rows.items()):
        means = summary(own)
        for row, metric in enumerate(METRICS):
            axis, part = grid[row][column], means[means["metric"] == metric].iloc[::-1]
            for place, item in enumerate(part.to_dict("records")):
                color = "0.6" if item["method"] in CONTROLS else "tab:blue"
                color = "tab:red" if item["method"] in (DEFAULT, QUICK, FULL, GRADIENT, ALL_SIZES) else color
                error = [[item["mean"] - item["low"]], [item["high"] - item["mean"]]]
                axis.barh(place, item["mean"], xerr=error, color=color, error_kw={"elinewidth": 0.8})
            axis.set_yticks(range(len(part)), part["method"] if column == 0 else [""] * len(part), fontsize=8)
            axis.axvline(0, color="black", linewidth=0.8)
            axis.set_xlabel(f"{metric}, higher is better")
            if row == 0:
                axis.set_title(f"{titles[encoder]}, n = {part['n'].max()}", fontsize=10)
    figure.suptitle(
        "red: relax-regression, relax-gradient; blue: other methods; grey: never saw the encoder with the picture"
    )
    return figure


def plot_scenes(found: dict[str, tuple[Run, Evaluation]], folder: Path) -> list[str]:
    """The first scenes with the maps of the default, the paper's method and SmoothGrad; returns Markdown."""
    encoder = relax.load_encoder(LITE0)
    run = found[f"{LITE0}-several"][0]
    source = open_dataset(run.dataset, 0)
    methods = {
        "relax-regression": relax.Explainer(encoder),
        "relax-gradient, 48 masks": relax.Explainer(encoder, method="relax-gradient", n_masks=48),
        "relax, 256 masks": relax.Explainer(encoder, method="relax", n_masks=256),
        f"SmoothGrad, smoothed by {SIGMA:g} px": relax.Explainer(encoder, method=SmoothGrad(n_samples=48)),
        "edges, smoothed": relax.Explainer(encoder, method="edges", sigma=8.0),
    }
    figure = Figure(figsize=(2.5 * (len(methods) + 1), 2.6 * SHOWN), layout="constrained")
    axes = figure.subplots(SHOWN, len(methods) + 1)
    for row, index in zip(axes, range(SHOWN), strict=True):
        sample = source[index]
        row[0].imshow(sample.picture)
        row[0].set_title("scene" if index == 0 else "", fontsize=9)
        for axis, (name, explainer) in zip(row[1:], methods.items(), strict=True):
            values = explainer(sample.picture).importance
            if name.startswith("SmoothGrad"):
                values = gaussian_filter(np.asarray(values), SIGMA)
            axis.imshow(values, cmap="viridis")
            axis.set_title(name if index == 0 else "", fontsize=9)
    for axis in axes.ravel():
        axis.set(xticks=[], yticks=[])
    save_figure(figure, folder / "scenes.png")
    return ["![Three scenes with the maps of four methods](quality/scenes.png)", "", "*Each map has its own scale.*"]
