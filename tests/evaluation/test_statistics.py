"""Intervals that hold what they promise, ranks that know ties."""

import numpy as np
import pandas as pd
import pytest

from relax.evaluation import auroc, interval, summary


def test_intervals_cover_at_their_nominal_rate():
    rng = np.random.default_rng(0)
    covered = []
    for seed in range(300):
        _, low, high = interval(rng.exponential(size=40), seed)
        covered.append(low <= 1 <= high)
    assert 0.90 <= np.mean(covered) <= 0.98


def test_intervals_of_few_or_equal_values():
    assert interval([2.0, 2.0, 2.0]) == (2.0, 2.0, 2.0)
    value, low, high = interval([1.5])
    assert value == 1.5
    assert np.isnan([low, high]).all()


def rows(**methods):
    return pd.DataFrame(
        [
            {
                "dataset": "d",
                "encoder": "e",
                "metric": metric,
                "method": method,
                "input": f"i{k}",
                "value": value,
                "forwards": 10,
                "backwards": 0,
                "seconds": 1.0,
            }
            for metric in ("auc", "complexity")
            for method, values in methods.items()
            for k, value in enumerate(values)
        ]
    )


def test_methods_that_cannot_be_told_apart_share_a_rank():
    rng = np.random.default_rng(1)
    hard = rng.normal(0, 1, 60)  # inputs differ much more than methods do
    table = summary(
        rows(
            good=hard + 0.3 + rng.normal(0, 0.1, 60),
            same=hard + 0.3 + rng.normal(0, 0.1, 60),
            bad=hard + rng.normal(0, 0.1, 60),
        )
    ).set_index(["metric", "method"])
    assert table.loc["auc"]["rank"].to_dict() == {"good": 1, "same": 1, "bad": 3}
    assert table.loc["complexity"]["rank"].to_dict() == {"good": 2, "same": 2, "bad": 1}  # lower is better
    assert table.loc[("auc", "good"), "n"] == 60


def test_methods_are_compared_on_the_inputs_that_all_have():
    table = summary(rows(a=[1, 2, 3, 4], b=[np.nan, 2, 3, 4], never=[np.nan] * 4)).set_index(["metric", "method"])
    assert table.loc[("auc", "a"), "mean"] == 3
    assert table.loc[("auc", "a"), "n"] == 3
    assert ("auc", "never") not in table.index


def test_auroc():
    value, low, high = auroc(np.zeros(20), np.r_[np.ones(15), -np.ones(5)])
    assert value == pytest.approx(0.75)
    assert low < 0.75 < high
    assert auroc([1, 2], [3, 4])[0] == 1
