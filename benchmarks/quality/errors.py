"""Error against forwards: how far a map is from where its own estimator converges to, as masks are added.

Moments, the regression and the moments that it corrects see the same masks. The converged maps take ``CONVERGED`` masks
of another seed. Results are kept, so that a run that was cut off goes on.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar, NamedTuple

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

import relax
from relax._support.averaging import averaged
from relax.cli.messages import say
from relax.datasets import open_dataset
from relax.estimation.crossfitted import FOLDS, CrossFitted
from relax.estimation.estimators import Ratio
from relax.estimation.maps import Maps
from relax.estimation.regression import Regression
from relax.estimation.strata import Tried
from relax.methods.problem import Problem
from relax.methods.regression import RelaxCrossFitted
from relax.modalities.resolution import Resolution

CONVERGED = 2048
MOST = 512
GRADIENTS = 120
"""Masks of the longest runs; a mask with a gradient costs three forwards."""

NAMES = {
    "relax": "the paper's moments (relax)",
    "moments": "moments, the default's masks",
    "relax-crossfit": "moments corrected by regression (relax-crossfit)",
    "relax-regression": "regression (the default)",
    "relax-gradient": "regression with gradients (relax-gradient)",
}
TRUTHS = {"moments": "relax-crossfit", "relax-gradient": "relax-regression"}
"""Whose converged map is meant, where it is not the method's own."""

COLORS = dict(zip(NAMES, ("0.3", "0.65", "tab:orange", "tab:red", "tab:blue"), strict=True))
SIDE = 14
BUDGETS = (64, 128, 256, 512)

Curves = dict[str, list[list[float]]]
"""By estimator: forward-equivalents, error, and the reliability that is stated."""


class Snapshot(NamedTuple):
    """Maps of one moment, by estimator, and the reliabilities that they state."""

    cost: int
    maps: dict[str, np.ndarray]
    stated: dict[str, float]


class Estimators:
    """Three estimators that see the same masks; keeps their maps after every turn."""

    def __init__(self, cells: Resolution) -> None:
        self.regression, self.crossfitted = Regression(cells), CrossFitted(cells)
        self.ratios: dict[int, Ratio] = {}
        self.snapshots: list[Snapshot] = []

    @property
    def n_masks(self) -> int:
        return self.regression.n_masks

    @property
    def n_blocks(self) -> int:
        return self.regression.n_blocks

    def update(self, tried: Tried) -> None:
        self.ratios.setdefault(tried.number, Ratio()).update(tried)
        self.crossfitted.update(tried)
        self.regression.update(replace(tried, number=tried.number // FOLDS))

    def close_round(self) -> None: ...

    def reliability(self) -> float:
        return float("nan")

    def maps(self, signed: bool) -> Maps:
        maps = self.regression.maps(signed)
        found = {
            "moments": np.mean([ratio.maps(signed).importance for ratio in self.ratios.values()], axis=0),
            "relax-crossfit": self.crossfitted.maps(signed).importance,
            "relax-regression": maps.importance,
        }
        stated = {"relax-crossfit": self.crossfitted.reliability(), "relax-regression": maps.reliability}
        shown = {name: cells(values) for name, values in found.items()}
        self.snapshots.append(Snapshot(self.n_masks + 1, shown, stated))
        return maps


@dataclass(frozen=True)
class Together(RelaxCrossFitted):
    """The default's kinds of masks, for all estimators at once."""

    name = "together"
    made: ClassVar[list[Estimators]] = []

    def estimator(self, problem: Problem) -> Estimators:
        self.made.append(Estimators(self.cells(problem)))
        return self.made[-1]


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
    relax.Explainer(encoder, method=Together(), n_masks=CONVERGED, seed=1)(picture)
    truths = Together.made.pop().snapshots[-1].maps
    truths["relax"] = cells(relax.Explainer(encoder, method="relax", n_masks=CONVERGED, seed=1)(picture).importance)
    runs: dict[str, list[Snapshot]] = {}
    for _ in relax.Explainer(encoder, method=Together(), n_masks=MOST).progressive(picture):
        pass
    for name in ("moments", "relax-crossfit", "relax-regression"):
        runs[name] = Together.made[-1].snapshots
    Together.made.clear()
    for name, n_masks, price in (("relax", MOST, 1), ("relax-gradient", GRADIENTS, 3)):
        explained = relax.Explainer(encoder, method=name, n_masks=n_masks).progressive(picture)
        runs[name] = [
            Snapshot(price * e.n_masks + 1, {name: cells(e.importance)}, {name: e.reliability}) for e in explained
        ]
    return {
        name: [
            [
                each.cost,
                1 - correlation(each.maps[name], truths[TRUTHS.get(name, name)]),
                each.stated.get(name, math.nan),
            ]
            for each in run
        ]
        for name, run in runs.items()
    }


def correlation(a: np.ndarray, b: np.ndarray) -> float:
    """Correlation of two maps."""
    return float(np.corrcoef(a, b)[0, 1])


def cells(importance: np.ndarray) -> np.ndarray:
    """Means over 14x14 cells."""
    return averaged(importance, (SIDE, SIDE)).ravel()


def at(curve: list[list[float]], budget: float) -> tuple[float, float]:
    """Error and stated reliability of the last map that costs at most ``budget`` forwards and one; NaN for none."""
    within = [(error, stated) for cost, error, stated in curve if cost <= budget + 1]
    return within[-1] if within else (math.nan, math.nan)


def plot_errors(found: dict[str, list[Curves]], titles: dict[str, str]) -> Figure:
    """A panel for each encoder: every scene thin, the mean bold."""
    figure = Figure(figsize=(4.4 * len(found), 4), layout="constrained")
    for axis, (encoder, scenes) in zip(
        np.ravel(figure.subplots(1, len(found), sharey=True)), found.items(), strict=True
    ):
        for method, color in COLORS.items():
            for scene in scenes:
                axis.plot(*np.transpose(scene[method])[:2], color=color, linewidth=0.6, alpha=0.5)
            costs, errors, _ = np.transpose(np.mean([scene[method] for scene in scenes], axis=0))
            axis.plot(costs, errors, color=color, linewidth=2, marker="o", markersize=3, label=NAMES[method])
        axis.set(xscale="log", yscale="log", title=f"{titles[encoder]}, n = {len(scenes)}")
        axis.set_xticks([32, 64, 128, 256, 512], ["32", "64", "128", "256", "512"], minor=False)
        axis.minorticks_off()
        axis.grid(alpha=0.3)
        axis.set_xlabel("forward-equivalents (a backward counts two)")
    figure.axes[0].set_ylabel("1 - correlation with the converged map")
    figure.axes[0].legend(fontsize=8)
    return figure


def points_of(found: dict[str, list[Curves]]) -> pd.DataFrame:
    """Every point of the curves: encoder, scene, estimator, forwards, error and the reliability that was stated."""
    return pd.DataFrame(
        [
            (encoder, number, method, *point)
            for encoder, scenes in found.items()
            for number, scene in enumerate(scenes)
            for method, curve in scene.items()
            for point in curve
        ],
        columns=["encoder", "scene", "estimator", "forwards", "error", "stated reliability"],
    )


def table_of_errors(found: dict[str, list[Curves]], titles: dict[str, str]) -> list[str]:
    """Mean errors at a few budgets, as Markdown."""
    lines = ["| encoder | estimator | " + " | ".join(f"{n} forwards" for n in BUDGETS) + " |"]
    lines.append("|---|---|" + "---|" * len(BUDGETS))
    for encoder, scenes in found.items():
        for method, name in NAMES.items():
            values = [np.array([at(scene[method], budget)[0] for scene in scenes]) for budget in BUDGETS]
            lines.append(f"| {titles[encoder]} | {name} | " + " | ".join(map(shown, values)) + " |")
    return lines


def shown(values: np.ndarray) -> str:
    """Mean of some scenes, with the least and the most of several."""
    if np.isnan(values).any():
        return "–"
    return f"{values.mean():.3f}" + (f" ({values.min():.3f} to {values.max():.3f})" if len(values) > 1 else "")


def table_of_reliabilities(found: dict[str, list[Curves]], titles: dict[str, str]) -> list[str]:
    """Stated reliability and true correlation with the converged map at a few budgets, as Markdown."""
    lines = ["| encoder | method | " + " | ".join(f"{n} forwards" for n in BUDGETS) + " |"]
    lines.append("|---|---|" + "---|" * len(BUDGETS))
    for encoder, scenes in found.items():
        for method in ("relax-regression", "relax-gradient", "relax"):
            row = []
            for budget in BUDGETS:
                error, stated = np.mean([at(scene[method], budget) for scene in scenes], axis=0)
                row.append("–" if np.isnan(stated) else f"{stated:.2f} / {1 - error:.2f}")
            lines.append(f"| {titles[encoder]} | {method} | " + " | ".join(row) + " |")
    return lines
