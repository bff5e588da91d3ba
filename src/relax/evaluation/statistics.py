"""Statistics of a run: means with intervals, paired differences between methods, ranks with ties, AUROC."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import bootstrap
from sklearn.metrics import roc_auc_score

from relax.evaluation.base import BETTER
from relax.evaluation.metrics import METRICS

LEVEL = 0.95
"""Confidence level of the intervals."""

RESAMPLES = 2000
"""Number of bootstrap resamples."""

Interval = tuple[float, float, float]
"""Estimate, lower bound, upper bound."""


def interval(values: Any, seed: int = 0) -> Interval:
    """Mean and its 95 % bootstrap interval (BCa).

    Args:
        values: one number per input.
        seed: seed of the resamples.

    Returns:
        Mean, lower and upper bound. The bounds are NaN for fewer than two values, and equal the mean if all values are
        equal.
    """
    values = np.asarray(values, dtype=np.float64)
    if len(values) < 2:
        return (float(values.mean()) if len(values) else np.nan, np.nan, np.nan)
    if np.ptp(values) == 0:
        return (float(values[0]),) * 3
    return (float(values.mean()), *_bootstrap((values,), np.mean, seed))


def auroc(inside: Any, outside: Any, seed: int = 0) -> Interval:
    """AUROC of detecting ``outside`` by larger values, with its 95 % bootstrap interval.

    Args:
        inside: values of in-distribution inputs.
        outside: values of out-of-distribution inputs.
        seed: seed of the resamples.

    Returns:
        AUROC, lower and upper bound. The bounds are NaN for a perfect separation or fewer than two values per set.
    """

    def statistic(a: np.ndarray, b: np.ndarray) -> float:
        labels = np.r_[np.zeros(len(a)), np.ones(len(b))]
        return float(roc_auc_score(labels, np.r_[a, b]))

    inside, outside = (np.asarray(v, dtype=np.float64) for v in (inside, outside))
    value = statistic(inside, outside)
    if min(len(inside), len(outside)) < 2 or value in (0.0, 1.0):
        return (value, np.nan, np.nan)
    return (value, *_bootstrap((inside, outside), statistic, seed, vectorized=False, method="percentile"))


def _bootstrap(
    samples: tuple[np.ndarray, ...],
    statistic: Callable[..., Any],
    seed: int,
    vectorized: bool = True,
    method: str = "BCa",
) -> tuple[float, float]:
    """Bounds of the bootstrap interval."""
    result = bootstrap(
        samples,
        statistic,
        n_resamples=RESAMPLES,
        confidence_level=LEVEL,
        method=method,
        vectorized=vectorized,
        rng=np.random.default_rng(seed),
    )
    return (float(result.confidence_interval.low), float(result.confidence_interval.high))


def summary(rows: pd.DataFrame) -> pd.DataFrame:
    """Summarise rows by encoder, metric and method: mean, interval, rank, cost.

    Methods are compared on the same inputs: the ``n`` inputs for which every method of an encoder has a value. A
    method's rank is one plus the number of better methods, those whose paired difference has a 95 % interval that
    excludes zero. Methods that cannot be distinguished share a rank.

    Args:
        rows: one row per input, encoder, method and metric, as in :attr:`Evaluation.rows`.
    """
    summaries = []
    for (dataset, encoder, metric), group in rows.groupby(["dataset", "encoder", "metric"], sort=False):
        table = group.pivot_table(index="input", columns="method", values="value", sort=False, dropna=False)
        table = table[list(dict.fromkeys(group["method"]))].dropna(axis="columns", how="all").dropna()
        better = METRICS[metric].better
        ranks = _ranks(table, BETTER[better])
        cost = group.groupby("method")[["forwards", "backwards", "seconds"]].mean()
        for method in table:
            mean, low, high = interval(table[method])
            names = {"dataset": dataset, "encoder": encoder, "metric": metric, "better": better, "method": method}
            row = {"n": len(table), "mean": mean, "low": low, "high": high, "rank": ranks[method]}
            summaries.append({**names, **row, **cost.loc[method].to_dict()})
    return pd.DataFrame(summaries)


def ood_table(rows: pd.DataFrame) -> pd.DataFrame:
    """AUROC of distinguishing two data sets by the mean uncertainty, one row per encoder and method.

    Args:
        rows: one row per input, encoder, method and metric, as in :attr:`Evaluation.rows`.
    """
    uncertain = rows[(rows["metric"] == "mean-uncertainty") & rows["value"].notna()]
    aurocs = []
    for (encoder, method), group in uncertain.groupby(["encoder", "method"], sort=False):
        values = [part["value"].to_numpy() for _, part in group.groupby("dataset", sort=False)]
        if len(values) == 2:
            value, low, high = auroc(*values)
            aurocs.append({"encoder": encoder, "method": method, "auroc": value, "low": low, "high": high})
    return pd.DataFrame(aurocs)


def _ranks(table: pd.DataFrame, sign: int) -> dict[str, int | None]:
    """Rank of each column: one plus the number of columns that are better by paired differences."""
    if sign == 0 or len(table) < 2:
        return dict.fromkeys(table, None)
    ranks = dict.fromkeys(table, 1)
    for one in table:
        for other in table:
            if one != other and table[other].mean() * sign > table[one].mean() * sign:
                _, low, high = interval(table[other] - table[one])
                ranks[one] += bool(low * sign > 0 and high * sign > 0)
    return dict(ranks)
