"""A run in a notebook: what was done, and how reliable the maps of the store are."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from relax._support.tabulated import Cell, figure, paragraph, table_of
from relax.errors import RelaxError
from relax.modalities.pointer import read_bars
from relax.modalities.showing import as_html, as_png

if TYPE_CHECKING:
    from relax.runs.running import Ran

BINS = 20
WORST = 5
"""Inputs in the table: those with the least reliable maps."""

Row = tuple[str, float]
"""Key of an input and reliability of its map."""


def html_of(ran: Ran) -> str:
    """What was done, the distribution of reliability, the least reliable maps and the reasons of failures.

    Args:
        ran: a finished run.
    """
    parts = [paragraph(sentence_of(ran))]
    try:
        rows, reasons = _read(ran)
    except RelaxError as error:
        return f"<div>{parts[0]}{paragraph(str(error))}</div>"
    if rows:
        parts.append(as_html(plot_reliability(rows), f"Reliability of {len(rows)} maps"))
        worst = sorted(rows, key=lambda row: row[1])[:WORST]
        parts.append(table_of(["least reliable", "reliability"], [[key, figure(value)] for key, value in worst]))
    if reasons:
        parts.append(
            table_of(["could not be explained", "inputs"], [[Cell(r), n] for r, n in reasons.most_common(WORST)])
        )
    return f"<div>{''.join(parts)}</div>"


def png_of(ran: Ran) -> bytes | None:
    """The distribution of reliability as PNG; ``None`` if no map has one, or the store is gone.

    Args:
        ran: a finished run.
    """
    try:
        rows, _ = _read(ran)
    except RelaxError:
        return None
    return as_png(plot_reliability(rows)) if rows else None


def sentence_of(ran: Ran) -> str:
    """What was done, in one line."""
    said = f"{ran.done} inputs explained in {ran.seconds:.1f} s"
    for n, what in (
        (ran.failed, "could not be explained"),
        (ran.known, "were in the store already"),
        (ran.changed, "had changed and were explained again"),
        (ran.gone, "are no longer in the source"),
    ):
        said += f"; {n} {what}" if n else ""
    return f"{said}. Store: {ran.folder}"


def plot_reliability(rows: list[Row]) -> Figure:
    """A histogram of the reliability of maps.

    Args:
        rows: keys and reliabilities.
    """
    values = np.array([value for _, value in rows])
    counts, edges = np.histogram(values, BINS)
    drawn = Figure(figsize=(6, 2.2), layout="constrained", dpi=110)
    FigureCanvasAgg(drawn)
    axes = drawn.subplots()
    axes.stairs(counts, edges, fill=True, color="0.4")
    axes.set_xlabel(f"reliability of a map (median {np.median(values):.3f})")
    axes.set_ylabel("inputs")
    spans = list(zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True))
    texts = [f"{low:.3f} to {high:.3f}: {n} inputs" for (low, high), n in zip(spans, counts, strict=True)]
    read_bars(axes, spans, texts)
    return drawn


def _read(ran: Ran) -> tuple[list[Row], Counter[str]]:
    """Reliabilities, and reasons with the number of inputs."""
    table = ran.store.table(("key", "reliability", "reason")).to_pylist()
    rows = [(row["key"], row["reliability"]) for row in table if row["reliability"] is not None]
    return rows, Counter(row["reason"] for row in table if row["reason"] is not None)
