"""Shares of the views in the importance."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import isnan, sqrt

import torch
from scipy.stats import t as student_t

from relax.encoders import Key
from relax.errors import ArgumentError
from relax.multiview.contributions import Totals

NOTHING = 1e-6
"""Fraction of the views' totals below which their sum is rounding, and there are no shares of it."""


@dataclass(frozen=True)
class Shares:
    """Shares of the views in the importance, which add up to 1, with standard errors.

    The total of a view is the sum over its units of ``E[s | unit kept] − E[s]``, the effect of showing one unit on the
    mean score (half the main effects under a keep probability of ½). The share of a view is its total divided by the
    sum of all totals. A view that lowers the score has a negative total. Of a regression, totals and standard errors
    are the posterior's; of other methods, totals are moments, and the standard errors come from the variance between
    independent groups of mask blocks.

    Attributes:
        values: share of each view.
        standard_errors: standard error of each share.
        degrees_of_freedom: number of pairs of masks in a regression, or of groups of mask blocks, minus 1. With few
            groups the standard errors are rough, and the confidence intervals are wide.
    """

    values: dict[Key, float]
    standard_errors: dict[Key, float]
    degrees_of_freedom: int = 0

    def confidence_interval(self, level: float = 0.95) -> dict[Key, tuple[float, float]]:
        """Confidence intervals of the converged shares, from Student's t distribution.

        Args:
            level: confidence level in (0, 1).

        Returns:
            Lower and upper bound by view.

        Raises:
            ArgumentError: ``level`` is out of range.
        """
        if not 0.0 < level < 1.0:
            raise ArgumentError(f"expected `level` between 0 and 1 (both excluded), got {level!r}")
        factor = float(student_t.ppf((1 + level) / 2, max(self.degrees_of_freedom, 1)))
        half_widths = {key: factor * error for key, error in self.standard_errors.items()}
        return {key: (value - half_widths[key], value + half_widths[key]) for key, value in self.values.items()}

    @classmethod
    def of(cls, runs: Sequence[Totals]) -> Shares:
        """Compute the shares from runs with independent masks.

        Args:
            runs: totals of each run; every view is in exactly one run, views of one run share its masks.
        """
        keys = [key for run in runs for key in run.keys]
        totals = torch.cat([run.values for run in runs])
        overall = float(totals.sum())
        if abs(overall) <= NOTHING * float(totals.abs().sum()) or overall == 0:
            unknown = dict.fromkeys(keys, float("nan"))  # the views cancel out, or nothing moves the score
            return cls(unknown, dict(unknown), 0)
        shares = totals / overall
        slopes = (torch.eye(len(keys), dtype=torch.float64) - shares[:, None]) / overall  # of each share in the totals
        variances, start = torch.zeros_like(shares), 0
        for run in runs:
            mine = slopes[:, start : start + len(run.keys)]
            variances += (mine @ run.covariance * mine).sum(1)
            start += len(run.keys)
        errors = [each if isnan(each) else sqrt(max(each, 0.0)) for each in variances.tolist()]
        degrees = min(run.degrees_of_freedom for run in runs)
        return cls(dict(zip(keys, shares.tolist(), strict=True)), dict(zip(keys, errors, strict=True)), degrees)

    def described(self) -> dict[str, dict[str, float | int | None]]:
        """JSON-able share, standard error (both ``None`` if unknown) and degrees of freedom of each view."""
        return {
            str(key): {
                "share": _known(value),
                "standard_error": _known(self.standard_errors[key]),
                "degrees_of_freedom": self.degrees_of_freedom,
            }
            for key, value in self.values.items()
        }

    def __str__(self) -> str:
        return ", ".join(f"{key} {self.values[key]:.2f} ± {self.standard_errors[key]:.2f}" for key in self.values)


def _known(value: float) -> float | None:
    return None if isnan(value) else value
