"""Shares of the views in the importance."""

from __future__ import annotations

from dataclasses import dataclass
from math import isnan

import torch
from scipy.stats import t as student_t
from torch import Tensor

from relax.encoders import Key
from relax.errors import ArgumentError
from relax.estimation.moments import MIN_GROUPS
from relax.estimation.strata import Tried
from relax.multiview.masks import ViewUnits

NOTHING = 1e-6
"""Fraction of the views' totals below which their sum is rounding, and there are no shares of it."""

Contribution = dict[Key, Tensor]
"""Totals of each view, one per independent group of mask blocks."""


class Contributions:
    """Accumulates, block by block, the effect of each view's units on the mean score."""

    def __init__(self) -> None:
        self._sums: list[tuple[Tensor, Tensor, Tensor]] = []  # per block: Σ s g, Σ g, (Σ s, number of masks)
        self._n_units: dict[Key, int] = {}
        self._group = 1

    def __len__(self) -> int:
        return len(self._sums)

    def __call__(self, tried: Tried) -> None:
        """Add the scores of one block of masks."""
        units = tried.perturbed.units
        if isinstance(units, ViewUnits):
            self._n_units = {key: part.n_units for key, part in units.units.items()}
        self._group = tried.perturbed.design.group
        bits, scores = tried.block.bits.double(), tried.scores.cpu()
        self._sums.append((scores @ bits, bits.sum(0), torch.stack([scores.sum(), scores.new_tensor(len(scores))])))

    def totals(self) -> Contribution:
        """Totals of each view, ``Σ_units E[s | unit kept] − E[s]``, one per independent group of mask blocks."""
        group = self._group if len(self._sums) // self._group >= MIN_GROUPS else 1
        rows = []
        for start in range(0, len(self._sums) - group + 1, group):
            score_sums, kept_counts, overall = (
                torch.stack(blocks).sum(0) for blocks in zip(*self._sums[start : start + group], strict=True)
            )
            rows.append(score_sums / kept_counts - overall[0] / overall[1])
        views = torch.split(torch.stack(rows), list(self._n_units.values()), dim=1)
        return {key: view.sum(1) for key, view in zip(self._n_units, views, strict=True)}


@dataclass(frozen=True)
class Shares:
    """Shares of the views in the importance, which add up to 1, with standard errors.

    The total of a view is the sum over its units of ``E[s | unit kept] − E[s]``, the effect of showing one unit on the
    mean score (half the main effects under a keep probability of ½). The share of a view is its total divided by the
    sum of all totals. A view that lowers the score has a negative total. The standard errors come from the variance
    between independent groups of mask blocks.

    Attributes:
        values: share of each view.
        standard_errors: standard error of each share.
        degrees_of_freedom: number of groups of mask blocks minus 1. With few groups the standard errors are rough, and
            the confidence intervals are wide.
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
    def of(cls, runs: list[Contributions]) -> Shares:
        """Compute the shares from runs with independent masks.

        Args:
            runs: contributions of each run; every view is in exactly one run, views of one run share its masks.
        """
        contributions = [run.totals() for run in runs]
        totals = {key: float(run[key].mean()) for run in contributions for key in run}
        overall = sum(totals.values())
        if abs(overall) <= NOTHING * sum(map(abs, totals.values())) or overall == 0:
            unknown = dict.fromkeys(totals, float("nan"))  # the views cancel out, or nothing moves the score
            return cls(unknown, dict(unknown), 0)
        values = {key: total / overall for key, total in totals.items()}
        errors = {}
        for key, value in values.items():
            variance = 0.0
            for run in contributions:
                n = len(next(iter(run.values())))
                if n < 2:
                    variance = float("nan")
                    break
                # the linearised share: (t_k − share · Σ t) / Σ T
                view_totals = run[key] if key in run else torch.zeros(n, dtype=torch.float64)
                linearised = (view_totals - value * torch.stack(list(run.values())).sum(0)) / overall
                variance += float(linearised.var() / n)
            errors[key] = variance**0.5
        return cls(values, errors, min(len(next(iter(run.values()))) for run in contributions) - 1)

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
