"""A report on disk: the page, the tables behind it as Parquet, and a summary as JSON."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from relax._support.atomic import atomic_write, writable_folder
from relax._support.extras import require
from relax._support.version import __version__

if TYPE_CHECKING:
    from relax.insights.report import Insight

PAGE = "insight.html"
SUMMARY = "summary.json"

Table = list[dict[str, Any]]
"""Rows, by column."""


def write(found: Insight, folder: Path) -> dict[str, Path]:
    """Write a report.

    Args:
        found: what is written.
        folder: where to.

    Returns:
        Paths of the files by their names.

    Raises:
        ArgumentError: the folder cannot be written to.
    """
    from relax.insights.page import page_of

    writable_folder(folder)
    contents = {f"{name}.parquet": parquet(table) for name, table in tables(found).items() if table}
    contents[SUMMARY] = json.dumps(plain(summary_of(found)), indent=1).encode()
    contents[PAGE] = page_of(found).encode()
    written = {}
    for name, content in contents.items():
        with atomic_write(folder / name) as file:
            file.write(content)
        written[name] = folder / name
    return written


def tables(found: Insight) -> dict[str, Table]:
    """The tables behind a report, by name."""
    keys = found.rows.keys
    groups = [
        {
            "group": number,
            "n": len(group.members),
            "suspicion": group.suspicion,
            "place": group.place,
            "content": group.content,
            "suspicious": group in found.suspicious,
            "members": [keys[place] for place in group.members],
            "shape": None if group.map is None else list(group.map.shape),
            "map": None if group.map is None else group.map.ravel().tolist(),
        }
        for number, group in enumerate(found.groups)
    ]
    clusters = [
        {
            "cluster": label,
            "n": int((found.clusters.labels == label).sum()),
            "silhouette": silhouette,
            "typical": [keys[place] for place in found.clusters.typical(label, 20)],
        }
        for label, silhouette in enumerate(found.clusters.silhouette if found.clusters is not None else ())
        if found.clusters is not None
    ]
    against = [
        {
            "key": keys[place],
            "cluster": int(found.clusters.labels[place]) if found.clusters is not None else -1,
            "shape": list(effect.shape),
            "effect": effect.ravel().tolist(),
        }
        for place, effect in found.against.items()
    ]
    return {
        "inputs": found.inputs(),
        "groups": groups,
        "clusters": clusters,
        "against": against,
        "units": found.summary.units,
        "comparison": [] if found.comparison is None else found.comparison.inputs,
    }


def parquet(table: Table) -> bytes:
    """Rows as a Parquet file."""
    pa, pq = require("pyarrow", extra="insight"), require("pyarrow.parquet", extra="insight")
    content = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(table), content, compression="zstd")
    return content.getvalue()


def summary_of(found: Insight) -> dict[str, Any]:
    """The figures of a report, ready for JSON."""
    summary, comparison = found.summary, found.comparison
    return {
        "relax": __version__,
        "store": str(found.rows.folder),
        "encoder": found.rows.encoder,
        "modality": found.rows.modality,
        "inputs": len(found.rows),
        "not_explained": dict(found.rows.reasons),
        "figures": summary.figures,
        "areas": summary.areas,
        "quantiles": summary.quantiles,
        "mean_map": summary.mean_map,
        "spread": summary.spread,
        "groups": len(found.groups),
        "suspicious_groups": len(found.suspicious),
        "suspicion": found.groups[0].suspicion if found.groups else None,
        "clusters": None if found.clusters is None else len(found.clusters.silhouette),
        "comparison": None
        if comparison is None
        else {
            "first": comparison.first,
            "second": comparison.second,
            "inputs": comparison.n,
            "differences": comparison.figures,
            "agreement": comparison.agreement,
            "map": comparison.map,
            "certain": comparison.certain,
        },
        "notes": found.notes,
    }


def plain(value: Any) -> Any:
    """A value for JSON: arrays as lists, NaN as null."""
    if isinstance(value, dict):
        return {str(name): plain(one) for name, one in value.items()}
    if isinstance(value, np.ndarray):
        return plain(value.tolist())
    if isinstance(value, (list, tuple)):
        return [plain(one) for one in value]
    if isinstance(value, (float, np.floating)):
        return float(value) if np.isfinite(value) else None
    return value
