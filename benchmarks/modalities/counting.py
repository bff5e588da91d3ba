"""Shares of cases with their intervals."""

from __future__ import annotations

from collections.abc import Sequence

from scipy.stats import binomtest


def share(name: str, hits: Sequence[bool], chance: float | None = None) -> str:
    """One line: how many of the cases, with Wilson's 95 % interval."""
    low, high = binomtest(sum(hits), len(hits)).proportion_ci(method="wilson")
    text = f"{name:<66} {sum(hits)} of {len(hits)} = {sum(hits) / len(hits):.3f} [{low:.3f}, {high:.3f}]"
    return text if chance is None else f"{text}, by chance {chance:.3f}"
