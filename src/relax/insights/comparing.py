"""Two stores beside each other: where two encoders differ, by input, by place and on the whole."""

from __future__ import annotations

from dataclasses import dataclass
from os import PathLike
from typing import Any

import numpy as np

from relax.errors import ArgumentError, InputError
from relax.insights.intervals import LEVEL, Interval, mean, resampled
from relax.insights.projection import neighbours
from relax.insights.rows import Rows, read_rows
from relax.insights.seen import masks_in
from relax.insights.shares import shares_of
from relax.insights.summary import summarised

NEIGHBOURS = 10
"""Neighbours of an input that are compared."""

SAMPLED = 2000
"""Most inputs by which representations are compared."""


@dataclass(frozen=True)
class Comparison:
    """Differences of two stores on the inputs that both have.

    Attributes:
        first: the store of the report.
        second: the other one.
        n: number of inputs that both have; equal by their checksums.
        figures: differences, second less first, on the same inputs, with 95 % intervals; by the names of a summary.
        agreement: ``maps`` (mean correlation of the two maps of an input), ``neighbours`` (mean share of the nearest
            inputs that are the same), ``cka`` (linear CKA, Kornblith et al., ICML 2019), with 95 % intervals.
        map: mean difference of the shares of importance, second less first; ``None`` where units differ.
        certain: units where it is not zero: false discovery rate of .05 (paired t tests, Benjamini-Hochberg).
        inputs: ``key``, ``maps``, ``neighbours`` and ``moved`` (total variation distance of the two maps), the most
            different first.
    """

    first: str
    second: str
    n: int
    figures: dict[str, Interval]
    agreement: dict[str, Interval]
    map: np.ndarray | None
    certain: np.ndarray | None
    inputs: list[dict[str, Any]]


def compared(
    first: Rows, other: str | PathLike[str], seed: int = 0, foreground: str | PathLike[str] | None = None
) -> Comparison:
    """Compare a store with another one.

    Args:
        first: rows of the store.
        other: folder of the other store; of the same inputs.
        seed: seed of the intervals.
        foreground: folder of masks, to compare how much falls on them.

    Raises:
        InputError: the other store cannot be read.
        ArgumentError: the two have fewer than two inputs in common, or explain different kinds of input.
    """
    second = read_rows(other)
    if first.modality != second.modality:
        raise ArgumentError(
            f"expected two stores of one kind of input, got {first.modality} ({first.folder}) and {second.modality} "
            f"({second.folder})"
        )
    pairs = _common(first, second)
    if len(pairs) < 2:
        raise ArgumentError(
            f"expected two stores with inputs in common, got {len(pairs)} in both {first.folder} and {second.folder}; "
            "inputs are the same if their keys and checksums are"
        )
    one, two = (rows.taken([pair[side] for pair in pairs]) for side, rows in enumerate((first, second)))
    shares, others = shares_of(one), shares_of(two)
    same = [a.shape == b.shape for a, b in zip(shares, others, strict=True)]
    moved = [0.5 * float(np.abs(a - b).sum()) if ok else np.nan for a, b, ok in zip(shares, others, same, strict=True)]
    maps = [_correlation(a, b) if ok else np.nan for a, b, ok in zip(one.importance, two.importance, same, strict=True)]
    overlap = _overlap(one.representations, two.representations)
    difference, certain = _by_unit(shares, others) if one.aligned and two.aligned and all(same) else (None, None)
    rows = [
        {"key": key, "moved": a, "maps": b, "neighbours": c}
        for key, a, b, c in zip(one.keys, moved, maps, overlap, strict=True)
    ]
    return Comparison(
        f"{first.encoder} ({first.folder})",
        f"{second.encoder} ({second.folder})",
        len(pairs),
        _differences((one, shares), (two, others), seed, foreground),
        {
            "maps": mean(maps, seed),
            "neighbours": mean(overlap, seed),
            "cka": _cka(one.representations, two.representations, seed),
        },
        difference,
        certain,
        sorted(rows, key=lambda row: -np.nan_to_num(row["moved"], nan=-1.0)),
    )


def _common(first: Rows, second: Rows) -> list[tuple[int, int]]:
    """Places of the inputs that both stores have."""
    places = {(row["key"], row["checksum"]): place for place, row in enumerate(second.identity)}
    own = ((place, places.get((row["key"], row["checksum"]))) for place, row in enumerate(first.identity))
    return [(place, other) for place, other in own if other is not None]


def _differences(
    first: tuple[Rows, list[np.ndarray]],
    second: tuple[Rows, list[np.ndarray]],
    seed: int,
    foreground: str | PathLike[str] | None,
) -> dict[str, Interval]:
    """Paired differences of the figures of a summary."""
    before, after = (
        summarised(rows, shares, None if foreground is None else masks_in(rows, foreground)).inputs
        for rows, shares in (first, second)
    )
    names = [name for name in before[0] if name != "key" and name in after[0]]
    return {name: mean([b[name] - a[name] for a, b in zip(before, after, strict=True)], seed) for name in names}


def _correlation(a: np.ndarray, b: np.ndarray) -> float:
    if a.size < 2 or np.ptp(a) == 0 or np.ptp(b) == 0:
        return float("nan")
    return float(np.corrcoef(a.ravel(), b.ravel())[0, 1])


def _by_unit(shares: list[np.ndarray], others: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Mean difference of shares, and where it is certain."""
    from scipy.stats import false_discovery_control, ttest_1samp

    differences = np.stack(others) - np.stack(shares)
    varied = differences.std(0) > 1e-12
    p = np.ones(varied.shape)
    if len(differences) > 2 and varied.any():
        p[varied] = false_discovery_control(ttest_1samp(differences[:, varied], 0).pvalue)
    return differences.mean(0), p < 1 - LEVEL


def _overlap(one: np.ndarray, two: np.ndarray) -> list[float]:
    """Share of each input's nearest inputs (cosine) that are the same in both."""
    near = [neighbours(some, NEIGHBOURS)[0] for some in (one, two)]
    return [len({*a} & {*b}) / max(1, len(a)) for a, b in zip(*near, strict=True)]


def _cka(one: np.ndarray, two: np.ndarray, seed: int) -> Interval:
    """Linear CKA with a percentile bootstrap over inputs.

    A resample holds inputs twice, which are alike in any encoder; its bias is taken off.
    """
    step = max(1, -(-len(one) // SAMPLED))
    a, b = one[::step].astype(np.float64), two[::step].astype(np.float64)
    value = linear_cka(a, b)
    if len(a) < 4:
        return value, float("nan"), float("nan")
    found = np.array([linear_cka(a[rows], b[rows]) for rows in resampled(len(a), seed, 200)])
    low, high = np.quantile(found - found.mean(), [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return value, max(0.0, float(value + low)), min(1.0, float(value + high))


def linear_cka(a: np.ndarray, b: np.ndarray) -> float:
    """Linear centred kernel alignment of two sets of representations of the same inputs, from 0 to 1.

    Args:
        a: ``(N, D)``.
        b: ``(N, E)``.
    """
    a, b = a - a.mean(0), b - b.mean(0)
    if len(a) < min(a.shape[1], b.shape[1]):
        k, m = a @ a.T, b @ b.T
        products = float((k * m).sum()), float((k * k).sum()), float((m * m).sum())
    else:
        products = tuple(float(((x.T @ y) ** 2).sum()) for x, y in ((a, b), (a, a), (b, b)))  # type: ignore[assignment]
    return float(products[0] / max(np.sqrt(products[1] * products[2]), 1e-300))


def store_rows(store: Any) -> Rows:
    """Rows of a store given as a folder, a :class:`relax.Store`, or what a run returned.

    Raises:
        InputError: it is none of these, or cannot be read.
    """
    folder = getattr(store, "folder", store)
    if not isinstance(folder, (str, PathLike)):
        raise InputError(f"expected the folder of a store, got {type(store).__name__}")
    return read_rows(folder)
