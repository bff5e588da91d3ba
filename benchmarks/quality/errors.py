"""Error against forwards: how far a map is from where its own estimator converges to, as masks are added.

The converged maps take ``CONVERGED`` masks of another seed; the paper's method has one of its own, the regression with
and without gradients shares one. Results are kept, so that a run that was cut off goes on.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from matplotlib.figure import Figure

import relax
from relax.cli.messages import say
from relax.datasets import open_dataset

CONVERGED = 2048
LENGTHS = {"relax": 512, "relax-regression": 512, "relax-gradient": 120}
"""Masks of the longest run of each method."""

NAMES = {
    "relax": "moments (relax)",
    "relax-regression": "regression (relax-regression)",
    "relax-gradient": "regression with gradients (relax-gradient)",
}
TRUTHS = {"relax": "relax", "relax-regression": "relax-regression", "relax-gradient": "relax-regression"}
COLORS = {"relax": "0.4", "relax-regression": "tab:red", "relax-gradient": "tab:blue"}
SIDE = 14
BUDGETS = (64, 128, 256, 512)

Curves = dict[str, list[list[float]]]
"""By method: pairs of forward-equivalents and errors."""


def measure(encoder: str, dataset: str, n: int, folder: Path) -> list[Curves]:
    """Curves of the first ``n`` scenes of a data set; kept in ``folder``."""
    folder.mkdir(parents=True, exist_ok=True)
    loaded, source, found = relax.load_encoder(encoder), open_dataset(dataset, 0), []
    for index in range(n):
        path = folder / f"{encoder}-{dataset.replace(':', '-')}-{index}.json"
        if not path.exists():
            say(path.stem)
            path.write_text(json.dumps(curves(loaded, source[index].picture)))
        found.append(json.loads(path.read_text()))
    return found


def curves(encoder: relax.Encoder, picture: object) -> Curves:
    """One scene."""
    truths = {
        method: cells(relax.Explainer(encoder, method=method, n_masks=CONVERGED, seed=1)(picture).importance)
        for method in set(TRUTHS.values())
    }
    found: Curves = {}
    for method, n_masks in LENGTHS.items():
        own = []
        for e in relax.Explainer(encoder, method=method, n_masks=n_masks).progressive(picture):
            cost = e.n_masks * (3 if method == "relax-gradient" else 1) + 1
            error = 1 - float(np.corrcoef(cells(e.importance), truths[TRUTHS[method]])[0, 1])
            own.append([cost, error])
        found[method] = own
    return found


def cells(importance: np.ndarray) -> np.ndarray:
    """Means over 14x14 cells."""
    values = torch.from_numpy(np.asarray(importance, dtype=np.float64))[None]
    return F.adaptive_avg_pool2d(values, (SIDE, SIDE)).flatten().numpy()


def at(curve: list[list[float]], budget: float) -> float:
    """Error of the last map that costs at most ``budget`` forward-equivalents and one; NaN if there is none."""
    within = [error for cost, error in curve if cost <= budget + 1]
    return within[-1] if within else float("nan")


def plot_errors(found: dict[str, list[Curves]], titles: dict[str, str]) -> Figure:
    """A panel for each encoder: every scene thin, the mean bold."""
    figure = Figure(figsize=(4.4 * len(found), 4), layout="constrained")
    for axis, (encoder, scenes) in zip(
        np.ravel(figure.subplots(1, len(found), sharey=True)), found.items(), strict=True
    ):
        for method, color in COLORS.items():
            for scene in scenes:
                axis.plot(*np.transpose(scene[method]), color=color, linewidth=0.6, alpha=0.5)
            costs, errors = np.transpose(np.mean([scene[method] for scene in scenes], axis=0))
            axis.plot(costs, errors, color=color, linewidth=2, marker="o", markersize=3, label=NAMES[method])
        axis.set(xscale="log", yscale="log", title=f"{titles[encoder]}, n = {len(scenes)}")
        axis.set_xticks([32, 64, 128, 256, 512], ["32", "64", "128", "256", "512"], minor=False)
        axis.minorticks_off()
        axis.grid(alpha=0.3)
        axis.set_xlabel("forward-equivalents (a backward counts two)")
    figure.axes[0].set_ylabel("1 - correlation with the converged map")
    figure.axes[0].legend(fontsize=8)
    return figure


def _range(errors: np.ndarray) -> str:
    return "–" if np.isnan(errors).any() else f"{errors.mean():.3f} ({errors.min():.3f} to {errors.max():.3f})"


def table_of_errors(found: dict[str, list[Curves]], titles: dict[str, str]) -> list[str]:
    """Mean errors at a few budgets, as Markdown."""
    lines = ["| encoder | estimator | " + " | ".join(f"{n} forwards" for n in BUDGETS) + " |"]
    lines.append("|---|---|" + "---|" * len(BUDGETS))
    for encoder, scenes in found.items():
        for method, name in NAMES.items():
            values = [np.array([at(scene[method], budget) for scene in scenes]) for budget in BUDGETS]
            row = [
                "–" if np.isnan(one).any() else f"{one.mean():.3f} ({one.min():.3f} to {one.max():.3f})"
                for one in values
            ]
            lines.append(f"| {titles[encoder]} | {name} | " + " | ".join(row) + " |")
    return lines
