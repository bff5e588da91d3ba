"""Means with intervals, differences between methods on the same inputs, ranks with ties, AUROC."""

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
RESAMPLES = 2000

Interval = tuple[float, float, float]


def interval(values: Any, seed: int = 0) -> Interval:
    """Mean and its 95 % bootstrap interval (BCa).

    Args:
        values: one number an input.
        seed: of the resamples.

    Returns:
        Mean, lower and upper bound; NaN bounds for a single value, no width where all are equal.
    """
    values = np.asarray(values, dtype=np.float64)
    if len(values) < 2:
        return (float(values.mean()) if len(values) else np.nan, np.nan, np.nan)
    if np.ptp(values) == 0:
        return (float(values[0]),) * 3
    return (float(values.mean()), *_bootstrap((values,), np.mean, seed))


def auroc(inside: Any, outside: Any, seed: int = 0) -> Interval:
    """How well larger values tell ``outside`` from ``inside``, with its 95 % bootstrap interval."""

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
    """A row for each encoder, metric and method: mean, interval, rank, cost.

    Only inputs on which every method of an encoder has a value count (``n`` of them), so that methods are compared on
    the same inputs. A method's rank is one more than the number of methods that are better: whose paired difference
    has a 95 % interval on their side of zero. Methods that cannot be told apart share a rank.
    """
    made = []
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
            made.append({**names, **row, **cost.loc[method].to_dict()})
    return pd.DataFrame(made)


def ood_table(rows: pd.DataFrame) -> pd.DataFrame:
    """How well the mean uncertainty tells two data sets apart: AUROC, a row for each encoder and method."""
    uncertain = rows[(rows["metric"] == "mean-uncertainty") & rows["value"].notna()]
    found = []
    for (encoder, method), group in uncertain.groupby(["encoder", "method"], sort=False):
        values = [part["value"].to_numpy() for _, part in group.groupby("dataset", sort=False)]
        if len(values) == 2:
            value, low, high = auroc(*values)
            found.append({"encoder": encoder, "method": method, "auroc": value, "low": low, "high": high})
    return pd.DataFrame(found)


def _ranks(table: pd.DataFrame, sign: int) -> dict[str, int | None]:
    """Of each column: 1 + how many columns are better, by paired differences."""
    if sign == 0 or len(table) < 2:
        return dict.fromkeys(table, None)
    ranks = dict.fromkeys(table, 1)
    for one in table:
        for other in table:
            if one != other and table[other].mean() * sign > table[one].mean() * sign:
                _, low, high = interval(table[other] - table[one])
                ranks[one] += bool(low * sign > 0 and high * sign > 0)
    return dict(ranks)
