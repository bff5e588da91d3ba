"""docs/multiview.md: tables, pictures, and sentences whose comparisons are computed from the rows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.multiview.clusterings import SEEDS, TRAINING
from benchmarks.multiview.explanations import LEVELS, MASKS, METRICS_OF_MAPS, N, THRESHOLDS
from relax.evaluation import METRICS, interval

PAGE = Path(__file__).parent.parent.parent / "docs" / "multiview.md"
FOLDER = PAGE.parent / "multiview"

ARROWS = {"higher": "↑", "lower": "↓", "neither": ""}


def shown(values: Any, digits: int = 3) -> str:
    """Mean and 95 % interval."""
    mean, low, high = interval(np.asarray(values, dtype=float))
    return f"{mean:.{digits}f} [{low:.{digits}f}, {high:.{digits}f}]"


def clustering_table(table: pd.DataFrame) -> list[str]:
    """Mean and standard deviation over seeds."""
    lines = ["| | accuracy | NMI | ARI | seconds |", "|---|---|---|---|---|"]
    for name, rows in table.groupby("method", sort=False):
        cells = [f"{rows[metric].mean():.3f} ± {rows[metric].std():.3f}" for metric in ("accuracy", "NMI", "ARI")]
        lines.append(f"| {name} | {' | '.join(cells)} | {rows['seconds'].mean():.0f} |")
    return lines


def above(table: pd.DataFrame, one: str, other: str) -> str:
    """Difference of two methods' mean accuracies, in points."""
    means = table.groupby("method")["accuracy"].mean()
    return f"{100 * (means[one] - means[other]):+.1f} points"


def noise_sentences(table: pd.DataFrame) -> list[str]:
    lines = []
    for training, rows in table.groupby("trained", sort=False):
        wide = rows.pivot_table(index="object", columns="noise")
        words = []
        for name, verbs in (
            ("share of the edges", ("falls", "rises")),
            ("uncertainty of the edges", ("falls", "rises")),
        ):
            change = wide[name][LEVELS[-1]] - wide[name][LEVELS[0]]
            mean, low, high = interval(change)
            verb = "does not change beyond its interval" if low <= 0 <= high else verbs[int(mean > 0)]
            words.append(
                f"the {name} {verb} (change from no noise to {LEVELS[-1]}: {mean:.2g} [{low:.2g}, {high:.2g}])"
            )
        lines.append(f"- Trained {training} noise: {'; '.join(words)}.")
    return lines


def noise_table(table: pd.DataFrame) -> list[str]:
    lines = [
        "| trained | noise | share of the edges | uncertainty of the edges | uncertainty of the image |",
        "|---|---|---|---|---|",
    ]
    for (training, level), rows in table.groupby(["trained", "noise"], sort=False):
        names = ("share of the edges", "uncertainty of the edges", "uncertainty of the image")
        lines.append(f"| {training} | {level} | " + " | ".join(shown(rows[name], 4) for name in names) + " |")
    return lines


def threshold_table(table: pd.DataFrame) -> list[str]:
    heads = [f"{m} {ARROWS[METRICS[m].better]}" for m in METRICS_OF_MAPS]
    lines = ["| view | | " + " | ".join(heads) + " |", "|---" * (2 + len(heads)) + "|"]
    for (view, method), rows in table.groupby(["view", "method"], sort=False):
        cells = [shown(rows[m].dropna()) for m in METRICS_OF_MAPS]
        lines.append(f"| {view} | {method} | " + " | ".join(cells) + " |")
    return lines


def threshold_sentences(table: pd.DataFrame) -> list[str]:
    """U-RELAX less RELAX on the same objects."""
    lines = []
    for view, rows in table.groupby("view", sort=False):
        for share in THRESHOLDS:
            words = []
            for metric in ("complexity", "insertion-deletion"):
                wide = rows.pivot_table(index="object", columns="method", values=metric)
                words.append(f"{metric} {shown(wide[f'U-RELAX, {share:.0%}'] - wide['RELAX'])}")
            lines.append(f"| {view} | {share:.0%} | {words[0].split(' ', 1)[1]} | {words[1].split(' ', 1)[1]} |")
    return ["| view | kept | complexity | insertion-deletion |", "|---|---|---|---|", *lines]
