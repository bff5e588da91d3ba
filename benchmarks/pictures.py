"""Pictures of docs/speed.md and docs/benchmarks.md, drawn from their tables: ``python -m benchmarks.pictures``."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from benchmarks.intervals import cells_of
from relax._support.figures import save_figure

DOCS = Path(__file__).parent.parent / "docs"

RANGE = re.compile(r"([.\d]+) \(([.\d]+) to ([.\d]+)\)")
INTERVAL = re.compile(r"([.\d]+) \[([.\d]+), ([.\d]+)\]")


def rows_of(page: str, head: str) -> list[list[str]]:
    """Rows of the table that begins with these cells; an empty first cell repeats the one above.

    Args:
        page: name of the page.
        head: how the line of heads begins.
    """
    lines = (DOCS / page).read_text().splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith(head))
    rows: list[list[str]] = []
    for line in lines[start + 2 :]:
        if not line.startswith("|"):
            break
        cells = [cell.strip("*") for cell in cells_of(line)]
        rows.append([cells[0] or rows[-1][0], *cells[1:]])
    return rows


def plot_engines(rows: list[list[str]]) -> Figure:
    """Rates of engines on one core, as multiples of PyTorch's in float32."""
    rows = [row for row in rows if row[2] == "1" and row[1] != "PyTorch float32"]
    encoders = list(dict.fromkeys(row[0] for row in rows))
    figure = Figure(figsize=(9, 3.2), layout="constrained", dpi=110)
    for place, encoder in zip(figure.subplots(1, len(encoders), sharex=True, sharey=True), encoders, strict=True):
        own = [row for row in rows if row[0] == encoder]
        times = np.array([[float(part) for part in RANGE.match(row[5].replace("*", "")).groups()] for row in own])  # type: ignore[union-attr]
        spread = np.abs(times[:, 1:] - times[:, :1]).T
        place.barh([row[1] for row in own], times[:, 0], xerr=spread, color="0.6", ecolor="0.1", capsize=3)
        place.axvline(1, color="0.1", linewidth=1, linestyle="--")
        place.set_title(encoder.partition(" (")[0], fontsize=10)
        place.set_xlabel("times PyTorch float32", fontsize=9)
        place.invert_yaxis() if encoder == encoders[0] else None
    return figure


def plot_accuracy(rows: list[list[str]]) -> Figure:
    """Error of a map over the seconds that it took, for this package and for relax-xai."""
    figure = Figure(figsize=(7, 3.6), layout="constrained", dpi=110)
    axes = figure.subplots()
    for name, marker in (("relax", "o-"), ("relax-xai", "s")):
        own = [row for row in rows if row[0] == name]
        seconds = np.array([float(row[2]) for row in own])
        error = np.array([[float(part) for part in INTERVAL.match(row[3]).groups()] for row in own])  # type: ignore[union-attr]
        spread = np.abs(error[:, 1:] - error[:, :1]).T
        axes.errorbar(seconds, error[:, 0], spread, fmt=marker, capsize=3, label=name)
        for row, x, y in zip(own, seconds, error[:, 0], strict=True):
            axes.annotate(row[1], (x, y), xytext=(5, 6), textcoords="offset points", fontsize=8)
    axes.set(xscale="log", yscale="log", xlim=(0.3, 400), xlabel="seconds", ylabel="error (root mean square)")
    axes.set_title("numbers: masks; lines: 95 % intervals over runs", fontsize=9)
    axes.legend(frameon=False)
    return figure


def main() -> None:
    for folder in ("speed", "benchmarks"):
        (DOCS / folder).mkdir(exist_ok=True)
    save_figure(plot_engines(rows_of("speed.md", "| encoder | engine |")), DOCS / "speed" / "engines.png")
    save_figure(plot_accuracy(rows_of("benchmarks.md", "| | masks | seconds |")), DOCS / "benchmarks" / "accuracy.png")


if __name__ == "__main__":
    main()
