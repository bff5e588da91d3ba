"""An evaluation in a notebook: a table for each encoder, intervals under the pointer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from relax._support.tabulated import Cell, figure, paragraph, table_of
from relax.evaluation.metrics import METRICS
from relax.evaluation.report_plots import plot_curves
from relax.modalities.showing import as_png

if TYPE_CHECKING:
    import pandas as pd

    from relax.evaluation.runner import Evaluation

ARROWS = {"higher": "↑", "lower": "↓", "neither": ""}


def html_of(evaluation: Evaluation) -> str:
    """Means of every method and metric, the best ones bold; interval, n and rank under the pointer.

    Args:
        evaluation: results of a run.
    """
    table, rows = evaluation.summary, evaluation.rows
    parts = []
    for dataset, encoder in rows[["dataset", "encoder"]].drop_duplicates().itertuples(index=False):
        some = table[(table["dataset"] == dataset) & (table["encoder"] == encoder)] if len(table) else table
        parts.append(paragraph(f"{encoder} on {dataset}: means over inputs; bold: no method is better for certain"))
        parts.append(_table(some))
    if evaluation.skipped:
        parts.append(paragraph(f"{len(evaluation.skipped)} inputs could not be read"))
    parts.append(paragraph(f"Rows and settings: {evaluation.folder}"))
    return f"<div>{''.join(parts)}</div>"


def png_of(evaluation: Evaluation) -> bytes | None:
    """Mean insertion and deletion curves of the first encoder as PNG; ``None`` if no metric draws curves.

    Args:
        evaluation: results of a run.
    """
    first = evaluation.lines[0]
    drawn = plot_curves([line for line in evaluation.lines if _same(line, first)])
    return None if drawn is None else as_png(drawn)


def repr_of(evaluation: Evaluation) -> str:
    """Evaluation in one line: how many inputs, which encoders, methods and metrics, and where.

    Args:
        evaluation: results of a run.
    """
    rows = evaluation.rows
    names = "; ".join(", ".join(map(str, rows[column].unique())) for column in ("encoder", "method", "metric"))
    skipped = f", {len(evaluation.skipped)} skipped" if evaluation.skipped else ""
    return f"Evaluation({rows['input'].nunique()} inputs{skipped}: {names}; in {evaluation.folder})"


def _same(line: dict[str, Any], other: dict[str, Any]) -> bool:
    return bool(line["dataset"] == other["dataset"] and line["encoder"] == other["encoder"])


def _table(table: pd.DataFrame) -> str:
    """Methods in rows, metrics in columns."""
    if not len(table):
        return paragraph("no values")
    metrics, methods = (list(dict.fromkeys(table[name])) for name in ("metric", "method"))
    found = {(row["method"], row["metric"]): row for row in table.to_dict("records")}
    head = [
        "method",
        *(Cell(f"{name} {ARROWS[METRICS[name].better]}".strip(), METRICS[name].summary) for name in metrics),
    ]
    return table_of(head, [[method, *(_cell(found.get((method, name))) for name in metrics)] for method in methods])


def _cell(row: dict[str, Any] | None) -> Cell:
    if row is None:
        return Cell("–", "no value for all inputs")
    more = f"95 % interval {figure(row['low'])} to {figure(row['high'])}, n = {row['n']}"
    best = row["better"] != "neither" and row["rank"] == 1
    return Cell(figure(row["mean"]), f"{more}, rank {row['rank']:g}" if row["better"] != "neither" else more, best)
