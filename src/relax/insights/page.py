"""The report as one self-contained HTML page."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from relax._support.extras import require
from relax._support.version import __version__
from relax.insights.cards import Cards
from relax.insights.drawing import embedded, map_picture
from relax.insights.groups import SUSPICIOUS, Group
from relax.insights.summary import QUANTILES

if TYPE_CHECKING:
    from relax.insights.report import Insight

SHOWN_GROUPS = 6
SHOWN_UNITS = 20
BINS = 16

NAMES = {
    "concentration": "on the most important tenth of the units",
    "border": "on the border (outer tenth of the sides)",
    "centre": "on the centre (central quarter)",
    "foreground": "on the foreground",
    "reliability": "reliability of a map",
    "uncertainty": "mean uncertainty (squared units of the score)",
}
"""What the figures are, in words."""


def page_of(found: Insight) -> str:
    """The page of a report.

    Args:
        found: the report.
    """
    jinja2 = require("jinja2", extra="insight")
    loader = jinja2.PackageLoader("relax.insights", "templates")
    environment = jinja2.Environment(loader=loader, autoescape=True, trim_blocks=True, lstrip_blocks=True)
    environment.filters["figure"] = figure
    cards = Cards(found.rows, found.seen)
    return str(
        environment.get_template("insight.html.j2").render(
            found=found,
            sentences=sentences(found),
            legend=legend(found),
            figures=_figures(found),
            maps=_maps(found),
            histograms=_histograms(found),
            unsure=_unsure(found, cards),
            groups=[_group(number, group, cards, found) for number, group in enumerate(found.groups[:SHOWN_GROUPS])],
            threshold=SUSPICIOUS,
            clusters=_clusters(found, cards),
            outliers=_outliers(found, cards),
            comparison=_comparison(found, cards),
            units=found.summary.units[:SHOWN_UNITS],
            version=__version__,
        )
    )


def figure(value: Any) -> str:
    """A number in three digits; an en dash for none."""
    return "–" if value is None or not np.isfinite(value) else f"{value:.3g}"


def sentences(found: Insight) -> list[str]:
    """What is most worth knowing."""
    lines = []
    figures, areas = found.summary.figures, found.summary.areas
    if found.suspicious:
        top = found.suspicious[0]
        n = sum(len(group.members) for group in found.suspicious)
        lines.append(
            f"{len(found.suspicious)} of {len(found.groups)} groups of maps look suspicious; together they hold {n} "
            "inputs."
        )
        if np.isfinite(top.place):
            lines.append(
                f"In the first ({len(top.members)} inputs), {top.place:.0%} of the importance lies where the other "
                "inputs have none."
            )
    elif found.groups:
        lines.append(
            f"No group of maps looks suspicious: the first of {len(found.groups)} reaches "
            f"{found.groups[0].suspicion:.2f}, and {SUSPICIOUS} is the mark."
            + (
                " What no part of a picture holds, such as a tint, is not found."
                if found.rows.modality == "image"
                else ""
            )
        )
    lines.append(
        f"The most important tenth of the units (at least one) holds {figures['concentration'][0]:.0%} of an input's "
        f"importance; {areas['concentration']:.0%} if all were equal."
    )
    lines += [
        f"The {name} holds {figures[name][0]:.0%} of it, on {areas[name]:.0%} of the area."
        for name in ("border", "foreground")
        if name in figures
    ]
    if "reliability" in figures:
        lines.append(
            f"The mean reliability of a map is {figures['reliability'][0]:.2f}: its estimated correlation with the map "
            "of very many masks."
        )
    return lines


def legend(found: Insight) -> str:
    """How the importance is drawn into an input."""
    if found.rows.modality == "image":
        return "The line encloses the most important fifth; the rest is darker."
    if found.rows.labels is not None and not found.rows.aligned:
        return "Bold: the most important 15 % of the words; underlined: the next 25 %."
    return "The units with the largest values of the map."


def _figures(found: Insight) -> list[dict[str, Any]]:
    summary = found.summary
    return [
        {
            "name": NAMES.get(name, name),
            "values": values,
            "even": summary.areas.get(name),
            "quantiles": summary.quantiles.get(name),
        }
        for name, values in summary.figures.items()
    ]


def _maps(found: Insight) -> list[tuple[str, str]]:
    summary = found.summary
    if summary.mean_map is None or summary.spread is None:
        return []
    limits = (
        f"{summary.mean_map.min():.2g} to {summary.mean_map.max():.2g}",
        f"{summary.spread.min():.2g} to {summary.spread.max():.2g}",
    )
    return [
        (embedded(map_picture(summary.mean_map)), f"mean effect of each unit, {limits[0]}; darker is more"),
        (embedded(map_picture(summary.spread)), f"its standard deviation over inputs, {limits[1]}; darker is more"),
    ]


def _histograms(found: Insight) -> list[dict[str, Any]]:
    """Bars of the distributions of reliability and uncertainty."""
    result = []
    for name, values in (("reliability", found.rows.reliability), ("uncertainty", found.rows.unsure)):
        finite = np.empty(0) if values is None else values[np.isfinite(values)]
        if len(finite) < 2:
            continue
        counts, edges = np.histogram(finite, BINS)
        bars = [(12 * number, 60 * count / counts.max()) for number, count in enumerate(counts)]
        marks = ", ".join(
            f"{share:.0%}: {value:.3g}" for share, value in zip(QUANTILES, found.summary.quantiles[name], strict=True)
        )
        result.append({"name": NAMES[name], "bars": bars, "low": edges[0], "high": edges[-1], "marks": marks})
    return result


def _unsure(found: Insight, cards: Cards) -> list[Any]:
    """Cards of the inputs with the least sure representations."""
    values = found.rows.unsure
    if values is not None:
        order, what = np.argsort(-values, kind="stable"), "uncertainty"
    elif np.isfinite(found.rows.reliability).any():
        values = found.rows.reliability
        order, what = np.argsort(np.nan_to_num(values, nan=np.inf), kind="stable"), "reliability"
    else:
        return []
    return [cards.card(int(place), f"{what} {values[place]:.2g}") for place in order[: found.examples]]


def _group(number: int, group: Group, cards: Cards, found: Insight) -> dict[str, Any]:
    step = max(1, len(group.members) // found.examples)
    shown = group.members[: step * found.examples : step]
    return {
        "number": number,
        "group": group,
        "suspicious": group in found.suspicious,
        "map": None if group.map is None else embedded(map_picture(group.map, cell=8)),
        "cards": [cards.card(place) for place in shown],
        "words": common_words(group, found) if group.map is None else [],
    }


def common_words(group: Group, found: Insight, n: int = 8) -> list[str]:
    """Words that hold much more importance in a group than elsewhere."""
    if found.rows.labels is None:
        return []
    members = set(group.members)
    totals: dict[str, list[float]] = {}
    for place, (names, one) in enumerate(zip(found.rows.labels, found.shares, strict=True)):
        for name, share in zip(names, one.ravel(), strict=True):
            word = name.strip().lower()
            if word:
                totals.setdefault(word, [0.0, 0.0])[place not in members] += float(share)
    inside, outside = len(members), max(1, len(found.rows) - len(members))
    ordered = sorted(totals, key=lambda word: (totals[word][1] / outside - totals[word][0] / inside, word))
    return ordered[:n]


def _clusters(found: Insight, cards: Cards) -> list[dict[str, Any]]:
    clusters = found.clusters
    if clusters is None:
        return []
    return [
        {
            "label": label,
            "n": int((clusters.labels == label).sum()),
            "silhouette": silhouette,
            "cards": [
                cards.card(place, f"cosine {clusters.cosine[place]:.2f}", found.against.get(place))
                for place in clusters.typical(label, found.examples)
            ],
        }
        for label, silhouette in enumerate(clusters.silhouette)
    ]


def _outliers(found: Insight, cards: Cards) -> list[Any]:
    """Cards of the oddest inputs; with an encoder, what keeps each away from its cluster is outlined."""
    clusters = found.clusters
    if clusters is None:
        return []
    return [
        cards.card(
            place,
            f"oddness {clusters.oddness[place]:.2f}, cluster {clusters.labels[place]}",
            -found.against[place] if place in found.against else None,
        )
        for place in clusters.outliers(found.examples)
    ]


def _comparison(found: Insight, cards: Cards) -> dict[str, Any] | None:
    comparison = found.comparison
    if comparison is None:
        return None
    place_of = {key: place for place, key in enumerate(found.rows.keys)}
    return {
        "figures": [(NAMES.get(name, name), values) for name, values in comparison.figures.items()],
        "map": None if comparison.map is None else embedded(map_picture(comparison.map, signed=True)),
        "certain": None if comparison.certain is None else int(comparison.certain.sum()),
        "units": None if comparison.certain is None else comparison.certain.size,
        "cards": [
            cards.card(place_of[row["key"]], f"moved {figure(row['moved'])}, maps {figure(row['maps'])}")
            for row in comparison.inputs[: found.examples]
        ],
    }
