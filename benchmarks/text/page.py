"""docs/text.md: the part between the marks is written here: three sentences, a picture, tables."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.text.picture import plot_methods
from relax._support.figures import save_figure

PAGE = Path(__file__).parents[2] / "docs" / "text.md"
PICTURE = "text-quality.png"

START, END = "<!-- by python -m benchmarks.text -->", "<!-- end -->"

COLUMNS = {
    "planted-auc": "planted words first (AUC)",
    "planted-rank": "among the top k",
    "text-gain": "relevance gain",
    "text-gain:dropped": "dropped",
    "text-gain:mask-token": "mask token",
    "text-gain:drawn": "drawn",
    "comprehensiveness": "comprehensiveness",
    "sufficiency": "sufficiency",
}

DEFAULT = "relax-regression"
MAIN = ("planted-auc", "text-gain")
CONTROLS = ("length", "position", "rarity", "random")

Interval = tuple[float, float, float]
"""Mean, and the lower and upper end of its 95 % interval."""


def write(folder: Path) -> None:
    """Replace the evaluated part of the page, and its picture.

    Args:
        folder: folder of the run.
    """
    rows = read(folder)
    methods = sorted(
        rows["method"].unique(), key=lambda name: (name in CONTROLS, -interval(rows, name, "planted-auc")[0])
    )
    intervals = {metric: {name: interval(rows, name, metric) for name in methods} for metric in COLUMNS}
    save_figure(
        plot_methods({COLUMNS[metric]: intervals[metric] for metric in MAIN}, DEFAULT, CONTROLS),
        PAGE.parent / PICTURE,
    )
    text = [
        sentences(rows, methods),
        "",
        f"![Planted words first and relevance gain of every method]({PICTURE})",
        "",
        *values(rows, methods, intervals),
        "",
        *differences(rows, methods),
    ]
    page = PAGE.read_text()
    before, rest = page.split(START)
    PAGE.write_text(before + START + "\n\n" + "\n".join(text) + "\n\n" + END + rest.split(END)[1])


def read(folder: Path) -> pd.DataFrame:
    """One row per input, method and metric that is defined, with the number of forwards; a backward counts as two."""
    lines = [json.loads(line) for line in (folder / "journal.jsonl").read_text().splitlines()]
    return pd.DataFrame(
        [
            {
                "input": line["input"],
                "method": line["method"],
                "metric": metric,
                "value": float(value),
                "forwards": int(line["forwards"]) + 2 * int(line["backwards"]),
            }
            for line in lines
            for metric, value in line["values"].items()
            if value is not None
        ]
    )


def values(rows: pd.DataFrame, methods: list[str], intervals: dict[str, dict[str, Interval]]) -> list[str]:
    """The table of means."""
    lines = [
        "Encoder `text:minilm`; mean [95 % interval by the bootstrap over passages]; n is the number of passages of 200 on which a measure is defined: methods "
        "of some 500 forwards are evaluated on the first ones. A value is in bold where no control reaches the lower end "
        "of its interval on the same passages. The measures of removal are not defined where the whole passage is less than "
        ".1 closer to the query than the empty text; the second table counts those with a value.",
        "",
        "| method | n | " + " | ".join(COLUMNS.values()) + " | forwards |",
        "|---" * (len(COLUMNS) + 3) + "|",
    ]
    for method in methods:
        own = rows[rows["method"] == method]
        cells = []
        for metric in COLUMNS:
            mean, low, high = intervals[metric][method]
            shown = f"{mean:.3f} [{low:.3f}, {high:.3f}]"
            bold = method not in CONTROLS and low > best_control(rows, method, metric)
            cells.append(f"**{shown}**" if bold else shown)
        label = f"{method}{' (control)' if method in CONTROLS else ''}"
        lines.append(f"| {label} | {own['input'].nunique()} | {' | '.join(cells)} | {own['forwards'].mean():.0f} |")
    return lines


def best_control(rows: pd.DataFrame, method: str, metric: str) -> float:
    """Mean of the best control on the passages of a method."""
    part = rows[(rows["metric"] == metric) & rows["input"].isin(rows[rows["method"] == method]["input"])]
    return float(part[part["method"].isin(CONTROLS)].groupby("method")["value"].mean().max())


def interval(rows: pd.DataFrame, method: str, metric: str) -> Interval:
    """Mean of a method with its bootstrap interval."""
    return bootstrap(rows[(rows["method"] == method) & (rows["metric"] == metric)]["value"].to_numpy())


def bootstrap(values: np.ndarray) -> Interval:
    """Mean of values with its 95 % interval over 2,000 resamples."""
    draws = np.random.default_rng(0).integers(0, len(values), (2000, len(values)))
    low, high = np.quantile(values[draws].mean(1), (0.025, 0.975))
    return float(values.mean()), float(low), float(high)


def paired(rows: pd.DataFrame, method: str, metric: str) -> tuple[Interval, int]:
    """The default minus a method on the passages that both have, and their number."""
    wide = rows[rows["metric"] == metric].pivot(index="input", columns="method", values="value")
    difference = (wide[DEFAULT] - wide[method]).dropna().to_numpy()
    return bootstrap(difference), len(difference)


def differences(rows: pd.DataFrame, methods: list[str]) -> list[str]:
    """The table of paired differences."""
    lines = [
        "The default minus each method, passage by passage, where both are known; in bold where the interval leaves out 0:",
        "",
        "| method | " + " | ".join(f"{COLUMNS[metric]} | n" for metric in MAIN) + " |",
        "|---" * (2 * len(MAIN) + 1) + "|",
    ]
    for method in methods:
        cells = []
        for metric in MAIN if method != DEFAULT else ():
            (mean, low, high), n = paired(rows, method, metric)
            shown = f"{mean:+.3f} [{low:+.3f}, {high:+.3f}]"
            cells.append(f"{f'**{shown}**' if low > 0 or high < 0 else shown} | {n}")
        lines += [f"| {method} | {' | '.join(cells)} |"] if cells else []
    return lines


def sentences(rows: pd.DataFrame, methods: list[str]) -> str:
    """Three sentences: against the controls, by what was planted, by what happens without the words."""
    others = [method for method in methods if method not in (DEFAULT, *CONTROLS)]
    above = [
        method
        for method in (DEFAULT, *others)
        if all(interval(rows, method, metric)[1] > best_control(rows, method, metric) for metric in MAIN)
    ]
    short = [f"`{method}`" for method in (DEFAULT, *others) if method not in above]
    first = (
        f"{joined([f'`{method}`' for method in above])} are above every control that never saw the encoder, by both measures"
        f"{f'; {joined(short)} not' if short else ''}."
    )
    cost = rows[rows["method"] == DEFAULT]["forwards"].mean()
    said: list[Any] = [ranked(rows, others, metric) for metric in MAIN]
    return (
        f"In three sentences: {first} The default, with {cost:.0f} forwards on average, finds the planted words {said[0]}. "
        f"By what happens when words are removed, on the same passages, it does {said[1]}."
    )


def ranked(rows: pd.DataFrame, others: list[str], metric: str) -> str:
    """Whom the default is told apart from, by paired differences."""
    parts: dict[str, list[str]] = {"better than": [], "as well as": [], "worse than": []}
    for method in others:
        (_, low, high), _ = paired(rows, method, metric)
        parts["better than" if low > 0 else "worse than" if high < 0 else "as well as"].append(f"`{method}`")
    return ", ".join(f"{how} {joined(names)}" for how, names in parts.items() if names)


def joined(names: list[str]) -> str:
    """Names as a list in a sentence."""
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
