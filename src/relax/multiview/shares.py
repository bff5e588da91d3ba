"""How much of the score belongs to each view."""

from __future__ import annotations

from dataclasses import dataclass
from math import isnan

import torch
from scipy.stats import t as student_t
from torch import Tensor

from relax.encoders import Key
from relax.errors import ArgumentError
from relax.masks import Block
from relax.moments import MIN_GROUPS

Contribution = dict[Key, Tensor]
"""Of each view, its total over each independent part of the masks."""


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

    @staticmethod
    def contributions(scores: Tensor, blocks: list[Block], n_units: dict[Key, int], group: int) -> Contribution:
        """Totals of each view in independent parts of the masks.

        Args:
            scores: ``(N,)`` of the masks, in the order of the blocks.
            blocks: the masks.
            n_units: of each view, in the order of the bits.
            group: blocks whose placements belong together.
        """
        together = group if len(blocks) // group >= MIN_GROUPS else 1
        totals = []
        for start in range(0, len(blocks) - together + 1, together):
            some = blocks[start : start + together]
            first = sum(len(block) for block in blocks[:start])
            bits = torch.cat([block.bits for block in some]).double().cpu()
            own = scores[first : first + len(bits)].double().cpu()
            totals.append((bits * own[:, None]).sum(0) / bits.sum(0) - own.mean())
        parts = torch.split(torch.stack(totals), list(n_units.values()), dim=1)
        return {key: part.sum(1) for key, part in zip(n_units, parts, strict=True)}

    @classmethod
    def of(cls, contributions: list[Contribution]) -> Shares:
        """From the totals of all views; those of one run share its masks, runs are independent."""
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
