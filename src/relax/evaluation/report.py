"""The report of a run: CSV tables, and a self-contained HTML page."""

from __future__ import annotations

import base64
import io
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from relax._support.atomic import atomic_write
from relax._support.extras import require
from relax._support.version import __version__
from relax.evaluation.metrics import METRICS
from relax.evaluation.report_plots import plot_curves, plot_maps
from relax.evaluation.runner import Evaluation, write_rows
from relax.explanation import Explanation

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def write_report(evaluation: Evaluation) -> dict[str, Path]:
    """Write the rows, ``summary.csv`` and ``report.html`` to the run's folder.

    With a second data set, also write ``ood.csv``: how well the mean uncertainty distinguishes the two.

    Args:
        evaluation: results of a run.

    Returns:
        Paths of the files by their names.
    """
    folder = evaluation.folder
    files = {**write_rows(evaluation), "summary.csv": folder / "summary.csv", "report.html": folder / "report.html"}
    tables = {"summary.csv": evaluation.summary}
    if len(evaluation.ood):
        files["ood.csv"] = folder / "ood.csv"
        tables["ood.csv"] = evaluation.ood
    for name, table in tables.items():
        with atomic_write(files[name]) as file:
            file.write(table.to_csv(index=False).encode())
    with atomic_write(files["report.html"]) as file:
        file.write(_page(evaluation, evaluation.summary).encode())
    return files


def _page(evaluation: Evaluation, table: pd.DataFrame) -> str:
    """The HTML page."""
    jinja2 = require("jinja2", extra="evaluate")
    loader = jinja2.PackageLoader("relax.evaluation", "templates")
    environment = jinja2.Environment(loader=loader, autoescape=True, trim_blocks=True, lstrip_blocks=True)
    rows = evaluation.rows
    main = rows["dataset"].iloc[0]
    encoders = list(dict.fromkeys(rows["encoder"]))
    sections = [
        {
            "encoder": encoder,
            "table": _quality(table[(table["encoder"] == encoder) & (table["dataset"] == main)]),
            "curves": _embedded(plot_curves(_lines(evaluation, encoder, main))),
            "maps": _embedded(plot_maps(_explanations(evaluation, encoder, main))),
            "notes": _notes(rows[rows["encoder"] == encoder]),
        }
        for encoder in encoders
    ]
    metrics = [METRICS[name] for name in dict.fromkeys(rows["metric"])]
    return str(
        environment.get_template("report.html.j2").render(
            dataset=main,
            n_inputs=rows[rows["dataset"] == main]["input"].nunique(),
            sections=sections,
            metrics=metrics,
            ood=evaluation.ood.to_dict("records"),
            skipped=evaluation.skipped,
            settings=_settings(folder=evaluation.folder),
            version=__version__,
        )
    )


def _settings(folder: Path) -> dict[str, Any]:
    """Settings of the run, without the versions."""
    settings = json.loads((folder / "run.json").read_text())
    return {"seed": settings["seed"], "budget": settings["budget"] or "each method's own", **settings["arguments"]}


def _quality(table: pd.DataFrame) -> dict[str, Any]:
    """Table with methods in rows and metrics in columns, and the cost at the end."""
    metrics = list(dict.fromkeys(table["metric"]))
    cells = {(row["method"], row["metric"]): row for row in table.to_dict("records")}
    methods = list(dict.fromkeys(table["method"]))
    rows = []
    for method in methods:
        row = [cells.get((method, metric)) for metric in metrics]
        cost = next(cell for cell in row if cell is not None)
        rows.append({"method": method, "cells": row, **{k: cost[k] for k in ("forwards", "backwards", "seconds")}})
    return {
        "metrics": [METRICS[name] for name in metrics],
        "rows": rows,
        "n": _span(table["n"]) if len(table) else "0",
    }


def _span(numbers: pd.Series) -> str:
    low, high = int(numbers.min()), int(numbers.max())
    return str(low) if low == high else f"{low} to {high} (depending on the metric)"


def _lines(evaluation: Evaluation, encoder: str, dataset: str) -> list[dict[str, Any]]:
    return [line for line in evaluation.lines if line["encoder"] == encoder and line["dataset"] == dataset]


def _explanations(evaluation: Evaluation, encoder: str, dataset: str) -> dict[tuple[str, str], Explanation]:
    """Saved explanations by input and method, except those whose files no longer exist."""
    explanations = {}
    for line in _lines(evaluation, encoder, dataset):
        path = evaluation.folder / line["file"] if "file" in line else None
        if path is not None and path.exists():
            explanations[line["input"], line["method"]] = Explanation.load(path)
    return explanations


def _notes(rows: pd.DataFrame) -> list[tuple[str, str, int]]:
    """Methods that failed: method, reason, number of inputs."""
    failed = rows[rows["note"] != ""].drop_duplicates(["input", "method"])
    return [(method, note, len(group)) for (method, note), group in failed.groupby(["method", "note"], sort=False)]


def _embedded(figure: Figure | None) -> str | None:
    """A figure as a ``data:`` URL, to keep the page self-contained."""
    if figure is None:
        return None
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=110)
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()
