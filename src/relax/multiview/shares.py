"""How much of the score belongs to each view."""

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

Contribution = dict[Key, Tensor]
"""Of each view, its total over each independent part of the masks."""


class Contributions:
    """Watches a run, and adds up what showing each view's parts does to the mean score, block by block."""

    def __init__(self) -> None:
        self._sums: list[tuple[Tensor, Tensor, Tensor]] = []  # of a block: Σ s g, Σ g, Σ s and the masks
        self._n_units: dict[Key, int] = {}
        self._group = 1

    def __len__(self) -> int:
        return len(self._sums)

    def __call__(self, tried: Tried) -> None:
        """Add one block."""
        units = tried.perturbed.units
        if isinstance(units, ViewUnits):
            self._n_units = {key: part.n_units for key, part in units.units.items()}
        self._group = tried.perturbed.design.group
        bits, scores = tried.block.bits.double(), tried.scores.cpu()
        self._sums.append((scores @ bits, bits.sum(0), torch.stack([scores.sum(), scores.new_tensor(len(scores))])))

    def totals(self) -> Contribution:
        """Totals of each view in independent parts of the masks: sums over its units of ``E[s | unit kept] − E[s]``."""
        together = self._group if len(self._sums) // self._group >= MIN_GROUPS else 1
        rows = []
        for start in range(0, len(self._sums) - together + 1, together):
            scored, kept, scores = (
                torch.stack(part).sum(0) for part in zip(*self._sums[start : start + together], strict=True)
            )
            rows.append(scored / kept - scores[0] / scores[1])
        parts = torch.split(torch.stack(rows), list(self._n_units.values()), dim=1)
        return {key: part.sum(1) for key, part in zip(self._n_units, parts, strict=True)}


@dataclass(frozen=True)
class Shares:
    """Shares of importance of the views, which add up to 1, and their standard errors.

    The total of a view is the sum over its units of ``E[s | unit kept] − E[s]``, half the main effects under a keep
    probability of ½: what showing the view's parts does to the mean score, one at a time. A share is a view's total
    over the sum of all; totals of views that push the score down are negative. Errors by leaving out blocks of masks.

    Attributes:
        values: by view.
        standard_errors: by view.
        degrees_of_freedom: of the standard errors, one less than the parts of the masks that they were estimated from;
            with two parts an error is no more than a hint, and the interval says so.
    """

    values: dict[Key, float]
    standard_errors: dict[Key, float]
    degrees_of_freedom: int = 0

    def confidence_interval(self, level: float = 0.95) -> dict[Key, tuple[float, float]]:
        """By view, lower and upper bound of the converged share; Student's t with the degrees of freedom."""
        if not 0.0 < level < 1.0:
            raise ArgumentError(f"expected `level` between 0 and 1 (both excluded), got {level!r}")
        factor = float(student_t.ppf((1 + level) / 2, max(self.degrees_of_freedom, 1)))
        halves = {key: factor * error for key, error in self.standard_errors.items()}
        return {key: (value - halves[key], value + halves[key]) for key, value in self.values.items()}

    @classmethod
    def of(cls, runs: list[Contributions]) -> Shares:
        """From the totals of all views; those of one run share its masks, runs are independent."""
        contributions = [run.totals() for run in runs]
        keys = [key for part in contributions for key in part]
        totals = {key: float(part[key].mean()) for part in contributions for key in part}
        whole = sum(totals.values())
        values = {key: totals[key] / whole for key in keys}
        errors = {}
        for key in keys:
            variance = 0.0
            for part in contributions:
                n = len(next(iter(part.values())))
                if n < 2:
                    variance = float("nan")
                    break
                # the linearised share: (t_k − share · Σ t) / Σ T
                own = part[key] if key in part else torch.zeros(n, dtype=torch.float64)
                line = (own - values[key] * torch.stack(list(part.values())).sum(0)) / whole
                variance += float(line.var() / n)
            errors[key] = variance**0.5
        return cls(values, errors, min(len(next(iter(part.values()))) for part in contributions) - 1)

    def described(self) -> dict[str, dict[str, float | int | None]]:
        """For each view, as JSON has it: share, standard error (null if it is not known), degrees of freedom."""
        return {
            str(key): {
                "share": value,
                "standard_error": None if isnan(self.standard_errors[key]) else self.standard_errors[key],
                "degrees_of_freedom": self.degrees_of_freedom,
            }
            for key, value in self.values.items()
        }

    def __str__(self) -> str:
        return ", ".join(f"{key} {self.values[key]:.2f} ± {self.standard_errors[key]:.2f}" for key in self.values)
