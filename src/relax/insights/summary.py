"""What maps have in common: their mean, how concentrated they are, where they lie, how sure they are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from relax.insights.intervals import Interval, mean
from relax.insights.rows import Rows
from relax.insights.shares import border_of, centre_of, concentration

QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)


@dataclass(frozen=True)
class Summary:
    """Maps of a store, summarised.

    Attributes:
        mean_map: mean importance of each unit less the neutral value, in units of the score; ``None`` where a unit is
            not the same one from input to input.
        spread: standard deviation of the same over inputs.
        figures: means over inputs with 95 % intervals: ``concentration``, ``border``, ``centre``, ``foreground``
            (shares of the importance), ``reliability``, ``uncertainty``.
        areas: what the shares would be if all units were equal; the foreground's is the mean over inputs.
        quantiles: of reliability and uncertainty at 5, 25, 50, 75 and 95 %.
        units: for inputs with words or columns: name, mean share, number of inputs that have it, most important first.
        inputs: a mapping an input, with its own values of the figures.
        notes: what is missing, and why.
    """

    mean_map: np.ndarray | None
    spread: np.ndarray | None
    figures: dict[str, Interval]
    areas: dict[str, float]
    quantiles: dict[str, list[float]]
    units: list[dict[str, Any]]
    inputs: list[dict[str, Any]]
    notes: list[str]


def summarised(
    rows: Rows, shares: Sequence[np.ndarray], foreground: Sequence[np.ndarray | None] | None = None
) -> Summary:
    """Summarise the maps of a store.

    Args:
        rows: explained inputs.
        shares: shares of importance, as from :func:`relax.insights.shares.shares_of`.
        foreground: part of each unit on the foreground; ``None`` where it is not known.
    """
    notes = []
    flat = rows.modality == "image"
    values: dict[str, list[float]] = {"concentration": [concentration(one) for one in shares]}
    areas = {"concentration": float(np.mean([concentration(np.full(one.shape, 1 / one.size)) for one in shares]))}
    if flat:
        for name, part in (("border", border_of), ("centre", centre_of)):
            values[name] = [float((one * part(one.shape)).sum()) for one in shares]
            areas[name] = float(np.mean([part(one.shape).mean() for one in shares]))
    if foreground is not None:
        pairs = zip(shares, foreground, strict=True)
        values["foreground"] = [np.nan if mask is None else float((one * mask).sum()) for one, mask in pairs]
        known = [float(mask.mean()) for mask in foreground if mask is not None]
        areas["foreground"] = float(np.mean(known)) if known else np.nan
        notes += [] if len(known) == len(rows) else [f"masks are known for {len(known)} of {len(rows)} inputs"]
    values["reliability"] = rows.reliability.tolist()
    if rows.unsure is not None:
        values["uncertainty"] = rows.unsure.tolist()
    effect = [one - neutral for one, neutral in zip(rows.importance, rows.neutral, strict=True)]
    if not rows.aligned:
        notes.append("no mean map: units differ from input to input")
    measured = {name: list(map(float, some)) for name, some in values.items() if np.isfinite(some).any()}
    return Summary(
        np.mean(effect, axis=0) if rows.aligned else None,
        np.std(effect, axis=0) if rows.aligned else None,
        {name: mean(some) for name, some in measured.items()},
        areas,
        {
            name: np.nanquantile(measured[name], QUANTILES).tolist()
            for name in ("reliability", "uncertainty")
            if name in measured
        },
        [] if rows.labels is None else named_units(rows.labels, shares),
        [{"key": key, **{name: some[place] for name, some in measured.items()}} for place, key in enumerate(rows.keys)],
        notes,
    )


def named_units(labels: Sequence[Sequence[str]], shares: Sequence[np.ndarray]) -> list[dict[str, Any]]:
    """Names of units with their importance over all inputs, most important first.

    Args:
        labels: names of the units of each input; upper and lower case are one.
        shares: their shares of importance.

    Returns:
        ``unit``, ``inputs`` (in how many it occurs), ``share`` (mean share where it occurs) and ``lift``: that share
        over the one it would have if all units of an input were equal.
    """
    found: dict[str, list[tuple[float, float]]] = {}
    for names, one in zip(labels, shares, strict=True):
        own: dict[str, float] = {}
        times: dict[str, int] = {}
        for name, share in zip(names, one.ravel(), strict=True):
            word = name.strip().lower()
            own[word] = own.get(word, 0.0) + float(share)
            times[word] = times.get(word, 0) + 1
        for word, share in own.items():
            found.setdefault(word, []).append((share, times[word] / one.size))
    rows = [
        {
            "unit": word,
            "inputs": len(pairs),
            "share": float(np.mean([share for share, _ in pairs])),
            "lift": float(np.sum([share for share, _ in pairs]) / np.sum([even for _, even in pairs])),
        }
        for word, pairs in found.items()
        if word
    ]
    return sorted(rows, key=lambda row: (-row["share"] * row["inputs"], row["unit"]))
