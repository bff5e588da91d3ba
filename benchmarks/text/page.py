"""docs/text.md: the part between the marks is written here."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd

PAGE = Path(__file__).parents[2] / "docs" / "text.md"

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

CONTROLS = ("length", "position", "rarity", "random")


def write(folder: Path) -> None:
    """Replace the evaluated part of the page.

    Args:
        folder: folder of the run.
    """
    lines = [json.loads(line) for line in (folder / "journal.jsonl").read_text().splitlines() if '"values"' in line]
    rows = pd.DataFrame(
        [
            {"input": line["input"], "method": line["method"], "metric": metric, "value": value, **cost(line)}
            for line in lines
            for metric, value in line["values"].items()
        ]
    )
    methods = list(dict.fromkeys(rows["method"]))
    complete = rows.groupby("input")["method"].nunique()
    rows = rows[rows["input"].isin(complete[complete == len(methods)].index)]
    n = rows["input"].nunique()
    text = [
        f"{n} passages, encoder `text:minilm`; mean [95 % interval by the bootstrap over passages]. A method is in bold "
        "where no control reaches the lower end of its interval.",
        "",
        "| method | " + " | ".join(COLUMNS.values()) + " | forwards |",
        "|---" * (len(COLUMNS) + 2) + "|",
    ]
    table = {(method, metric): interval(rows, method, metric) for method in methods for metric in COLUMNS}
    for method in methods:
        cells = []
        for metric in COLUMNS:
            mean, low, high = table[method, metric]
            best = max(table[control, metric][0] for control in CONTROLS)
            shown = f"{mean:.3f} [{low:.3f}, {high:.3f}]"
            cells.append(f"**{shown}**" if low > best and method not in CONTROLS else shown)
        forwards = rows[rows["method"] == method]["forwards"].mean()
        text.append(f"| {method}{' (control)' if method in CONTROLS else ''} | {' | '.join(cells)} | {forwards:.0f} |")
    text += ["", differences(rows, methods), ""]
    page = PAGE.read_text()
    before, rest = page.split(START)
    after = rest.split(END)[1]
    PAGE.write_text(before + START + "\n\n" + "\n".join(text) + "\n" + END + after)


def cost(line: dict[str, object]) -> dict[str, object]:
    """Forwards of one explanation; a backward counts as two."""
    return {"forwards": int(line["forwards"]) + 2 * int(line["backwards"])}  # type: ignore[call-overload]


def interval(rows: pd.DataFrame, method: str, metric: str) -> tuple[float, float, float]:
    """Mean with its bootstrap interval."""
    chosen = rows[(rows["method"] == method) & (rows["metric"] == metric)]["value"].astype(float).dropna().to_numpy()
    return bootstrap(chosen)


def bootstrap(values: np.ndarray) -> tuple[float, float, float]:
    """Mean of values with its 95 % interval over 2,000 resamples."""
    draws = np.random.default_rng(0).integers(0, len(values), (2000, len(values)))
    means = values[draws].mean(1)
    return float(values.mean()), *(float(np.quantile(means, q)) for q in (0.025, 0.975))  # type: ignore[return-value]


def differences(rows: pd.DataFrame, methods: list[str]) -> str:
    """What the default is told apart from, by paired differences."""
    sentences = []
    for metric in ("planted-auc", "text-gain"):
        wide = rows[rows["metric"] == metric].pivot(index="input", columns="method", values="value").astype(float)
        parts = {"better than": [], "level with": [], "worse than": []}
        for method in methods:
            if method == "relax-regression":
                continue
            _, low, high = bootstrap((wide["relax-regression"] - wide[method]).dropna().to_numpy())
            parts["better than" if low > 0 else "worse than" if high < 0 else "level with"].append(method)
        said = "; ".join(f"{how} {', '.join(names)}" for how, names in parts.items() if names)
        sentences.append(f"By {COLUMNS[metric]} the default is {said}.")
    return " ".join(sentences)
