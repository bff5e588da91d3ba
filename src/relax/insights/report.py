"""A report on a store: what its encoder looks at, suspicious groups, clusters, outliers, another store beside it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from relax._support.arguments import positive
from relax.insights.alike import against_clusters
from relax.insights.clusters import Clusters, clustered
from relax.insights.comparing import Comparison, compared, store_rows
from relax.insights.content import content_of
from relax.insights.groups import SUSPICIOUS, Group, grouped, suspicions
from relax.insights.rows import Rows
from relax.insights.seen import Seen, foregrounds
from relax.insights.shares import shares_of
from relax.insights.summary import Summary, summarised

EXAMPLES = 8
"""Examples of a group or cluster."""

FEWEST = 6
"""Fewest inputs that are grouped or clustered."""


@dataclass(frozen=True)
class Insight:
    """What a store says of its encoder.

    Attributes:
        rows: the explained inputs.
        seen: the inputs themselves, where they are still there.
        shares: shares of importance, a map an input.
        summary: what the maps have in common.
        groups: inputs whose maps are alike, most suspicious first.
        clusters: of the representations; ``None`` for fewer than six inputs.
        against: maps against the centre of their cluster, by place; empty without an encoder.
        comparison: with another store; ``None`` without one.
        notes: what is missing, and why.
        examples: number of examples of each group and cluster on the page.
    """

    rows: Rows
    seen: Seen
    shares: list[np.ndarray]
    summary: Summary
    groups: list[Group]
    clusters: Clusters | None
    against: dict[int, np.ndarray]
    comparison: Comparison | None
    notes: list[str]
    examples: int = EXAMPLES

    def __repr__(self) -> str:
        of = f"{len(self.rows)} inputs in {self.rows.folder}"
        return f"Insight({of}, {len(self.groups)} groups of maps, {len(self.suspicious)} suspicious)"

    @property
    def suspicious(self) -> list[Group]:
        """Groups with a suspicion above the one that encoders reach which have no use for an artefact."""
        return [group for group in self.groups if group.suspicion > SUSPICIOUS]

    def inputs(self) -> list[dict[str, Any]]:
        """A mapping an input: its figures, group, suspicion, cluster and oddness."""
        suspicion = suspicions(self.groups, len(self.rows))
        group = {place: number for number, one in enumerate(self.groups) for place in one.members}
        found = []
        for place, (row, figures) in enumerate(zip(self.rows.identity, self.summary.inputs, strict=True)):
            entry = {"key": row["key"], "path": row["path"], **figures}
            entry |= {"group": group.get(place), "suspicion": float(suspicion[place])}
            if self.clusters is not None:
                entry |= {
                    "cluster": int(self.clusters.labels[place]),
                    "cosine_to_centre": float(self.clusters.cosine[place]),
                    "oddness": float(self.clusters.oddness[place]),
                }
            found.append(entry)
        return found

    def write(self, folder: str | PathLike[str]) -> dict[str, Path]:
        """Write ``insight.html``, ``summary.json`` and the tables as Parquet; see docs/insight.md.

        Args:
            folder: where to; it is made if it is missing, and files of these names are replaced.

        Returns:
            Paths of the files by their names.

        Raises:
            ArgumentError: the folder cannot be written to.
        """
        from relax.insights.writing import write

        return write(self, Path(folder))

    def html(self) -> str:
        """Self-contained HTML for notebooks: the report in short, values of its maps under the pointer."""
        from relax.insights.showing import html_of

        return html_of(self)

    _repr_html_ = html

    def _repr_png_(self) -> bytes | None:
        from relax.insights.showing import png_of

        return png_of(self)


def insight(
    store: Any,
    other: str | PathLike[str] | None = None,
    *,
    encoder: Any = None,
    foreground: str | PathLike[str] | None = None,
    source: Any = None,
    column: str | None = None,
    n_groups: int | None = None,
    n_clusters: int | None = None,
    examples: int = EXAMPLES,
    n_masks: int = 256,
    seed: int = 0,
) -> Insight:
    """Say what an encoder looks at over many inputs, and find groups in which it looks at something suspicious.

    Args:
        store: folder of a store made by :func:`relax.run`, or what that returned.
        other: folder of another store of the same inputs, which is put beside this one.
        encoder: the encoder of the store, or its name, to explain typical members and outliers against their cluster;
            without it nothing is encoded.
        foreground: folder with a mask of the foreground for each key, white on black, to measure how much falls on it.
        source: where the inputs are, if they are no longer where the store was made from.
        column: column of the inputs in a table.
        n_groups: number of groups of maps; ``None`` for one in 15 inputs, from 2 to 12.
        n_clusters: number of clusters; ``None`` for the number from 2 to 10 with the largest silhouette.
        examples: examples of each group and cluster, and number of outliers and of least sure inputs.
        n_masks: masks of each map against a cluster.
        seed: seed of clusterings, intervals and masks.

    Returns:
        An :class:`Insight`; its ``write(folder)`` writes the report.

    Raises:
        InputError: there is no store, it is damaged, or none of its inputs was explained.
        ArgumentError: an argument is out of range, the encoder is another one, or the stores have no input in common.
        MissingExtraError: scikit-learn or pyarrow is not installed.
    """
    positive("examples", examples)
    rows = store_rows(store)
    seen = Seen(rows, source, column)
    shares = shares_of(rows)
    summary = summarised(rows, shares, None if foreground is None else foregrounds(rows, foreground))
    groups, notes = _groups(rows, seen, shares, n_groups, seed)
    enough = len(rows) >= FEWEST
    if not enough:
        notes.append(f"no groups and clusters: they need at least {FEWEST} inputs, the store has {len(rows)}")
    clusters = clustered(rows.representations, n_clusters, seed) if enough else None
    against: dict[int, np.ndarray] = {}
    if encoder is not None and clusters is not None:
        places = dict.fromkeys([*shown_members(clusters, examples), *clusters.outliers(examples)])
        against = against_clusters(rows, seen, clusters, places, encoder, n_masks, seed)
        if len(against) < len(places):
            notes.append(f"{len(places) - len(against)} of {len(places)} inputs to explain against clusters are gone")
    comparison = None if other is None else compared(rows, getattr(other, "folder", other), seed, foreground)
    return Insight(
        rows, seen, shares, summary, groups, clusters, against, comparison, [*summary.notes, *notes], examples
    )


def shown_members(clusters: Clusters, examples: int) -> list[int]:
    """Typical members that the report shows, at most ``examples`` a cluster."""
    return [place for label in range(len(clusters.silhouette)) for place in clusters.typical(label, examples)]


def _groups(
    rows: Rows, seen: Seen, shares: Sequence[np.ndarray], n_groups: int | None, seed: int
) -> tuple[list[Group], list[str]]:
    """Groups of the inputs that can be seen; of all, by place alone, if too many are gone."""
    notes = []
    places = list(range(len(rows)))
    if rows.modality == "image":
        here = seen.here
        if len(here) < len(rows):
            notes.append(f"{len(rows) - len(here)} of {len(rows)} pictures are gone or have changed")
        if 2 * len(here) >= len(rows):
            places = here
        elif len(here) < len(rows):
            notes.append("groups of maps are formed by place alone")
    if len(places) < FEWEST:
        return [], notes
    some = rows if len(places) == len(rows) else rows.taken(places)
    content = content_of(some, seen if some is rows else seen.taken(places))
    own = [shares[place] for place in places]
    if content is None and not rows.aligned:
        notes.append("no groups of maps: units differ from input to input, and have no names")
        return [], notes
    found = grouped(own, content, n_groups, seed)
    return [
        Group([places[member] for member in group.members], group.place, group.content, group.map) for group in found
    ], notes
