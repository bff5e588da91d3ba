"""Pictures of the study."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

MARKERS = {"efficientnet-lite0": "o", "augnet-resnet50": "s", "vit-s14-focus": "^"}


def plot_disagreement(means: pd.DataFrame) -> Figure:
    """Localisation against faithfulness, a point for each encoder and method, with intervals."""
    methods = ["relax", "smoothgrad", "integrated-gradients", "lafam", "center", "random"]
    figure = Figure(figsize=(8.5, 4.6), layout="constrained")
    axes = figure.subplots()
    for number, method in enumerate(methods):
        for encoder, marker in MARKERS.items():
            own = means[(means["encoder"] == encoder) & (means["method"] == method)].set_index("metric")
            if own.empty:
                continue
            x, y = own.loc["relevance-rank"], own.loc["insertion-deletion"]
            spread = [[[v["mean"] - v["low"]], [v["high"] - v["mean"]]] for v in (x, y)]
            axes.errorbar(
                *(x["mean"], y["mean"]),
                xerr=spread[0],
                yerr=spread[1],
                fmt=marker,
                color=f"C{number}",
                elinewidth=0.7,
                markersize=7,
            )
    for number, method in enumerate(methods):
        axes.plot([], [], "o", color=f"C{number}", label=method)
    for encoder, marker in MARKERS.items():
        axes.plot([], [], marker, color="grey", label=encoder)
    axes.axhline(0, color="grey", linewidth=0.6)
    axes.set(
        xlabel="localisation: relevance rank accuracy (share of the object found)",
        ylabel="faithfulness: insertion − deletion\n(blur; 0 is random)",
    )
    figure.legend(loc="outside right center", frameon=False)
    return figure


def plot_robustness(means: pd.DataFrame) -> Figure:
    """Bars with intervals: sensitivities and parameter randomisation."""
    metrics = {
        "max-sensitivity": "max-sensitivity\n(relative change; lower is better)",
        "avg-sensitivity": "avg-sensitivity\n(relative change; lower is better)",
        "parameter-randomisation": "rank correlation with the map of\nrandom weights (lower is better)",
    }
    encoders, methods = list(dict.fromkeys(means["encoder"])), list(dict.fromkeys(means["method"]))
    figure = Figure(figsize=(11, 4), layout="constrained")
    places = np.arange(len(methods))
    for axes, (metric, title) in zip(figure.subplots(1, 3), metrics.items(), strict=True):
        for number, encoder in enumerate(encoders):
            own = means[(means["encoder"] == encoder) & (means["metric"] == metric)].set_index("method")
            own = own.reindex(methods)
            at = places + 0.4 * (number - (len(encoders) - 1) / 2)
            spread = np.abs([own["mean"] - own["low"], own["high"] - own["mean"]])
            axes.bar(at, own["mean"], 0.36, yerr=spread, label=encoder, error_kw={"elinewidth": 0.8})
        axes.set_xticks(places, methods, rotation=55, ha="right")
        axes.set_title(title, fontsize=10)
    axes.legend(frameon=False, fontsize=8)
    return figure


def plot_agreement(pairs: pd.DataFrame) -> Figure:
    """Mean Spearman correlation between encoders, as a matrix."""
    names = [n for n in dict.fromkeys([*pairs["one"], *pairs["other"]]) if n != "another seed"]
    means = pairs.groupby(["one", "other"])["spearman"].mean()
    matrix = np.eye(len(names))
    for (one, other), value in means.items():
        if other != "another seed":
            i, j = names.index(one), names.index(other)
            matrix[i, j] = matrix[j, i] = value
    figure = Figure(figsize=(7.4, 5.4), layout="constrained")
    axes = figure.subplots()
    image = axes.imshow(matrix, cmap="RdBu_r", vmin=-1, vmax=1)
    short = [name.removeprefix("fashion:") for name in names]
    axes.set_xticks(range(len(names)), short, rotation=40, ha="right")
    axes.set_yticks(range(len(names)), short)
    for i in range(len(names)):
        for j in range(len(names)):
            dark = abs(matrix[i, j]) > 0.6
            axes.text(j, i, f"{matrix[i, j]:.2f}", ha="center", va="center", color="white" if dark else "black")
    figure.colorbar(image, label="Spearman correlation of RELAX maps (mean over scenes)")
    return figure


def plot_ablations(tables: dict[str, pd.DataFrame]) -> Figure:
    """A column for each thing that is varied, a row for each metric, a line for each encoder."""
    metrics = {"insertion-deletion": "insertion − deletion\n(blur)", "relevance-rank": "relevance rank"}
    figure = Figure(figsize=(12, 5.4), layout="constrained")
    grid = figure.subplots(len(metrics), len(tables), sharey="row")
    for column, (part, means) in zip(grid.T, tables.items(), strict=True):
        for axes, (metric, label) in zip(column, metrics.items(), strict=True):
            for number, encoder in enumerate(dict.fromkeys(means["encoder"])):
                own = means[(means["encoder"] == encoder) & (means["metric"] == metric)]
                at = np.arange(len(own)) + 0.06 * number
                spread = np.abs([own["mean"] - own["low"], own["high"] - own["mean"]])
                style = "o-" if part in ("masks", "grid") else "o"
                axes.errorbar(at, own["mean"], yerr=spread, fmt=style, label=encoder, capsize=2, elinewidth=0.8)
                axes.set_xticks(np.arange(len(own)), own["method"])
            axes.grid(axis="y", alpha=0.3)
            if part == "masks":
                axes.set_ylabel(label)
        column[-1].set_xlabel({"masks": "number of masks"}.get(part, part))
    grid[0, 0].legend(frameon=False, fontsize=8)
    return figure
