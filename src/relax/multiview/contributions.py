"""What each view contributes to the score, with its error."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from relax.encoders import Key
from relax.estimation.estimators import Estimator
from relax.estimation.moments import MIN_GROUPS
from relax.estimation.regression import Regression
from relax.estimation.strata import Tried
from relax.multiview.cells import ViewCells
from relax.multiview.masks import ViewUnits


@dataclass(frozen=True, eq=False)
class Totals:
    """Totals of some views, ``Σ_units E[s | unit kept] − E[s]``, and what is known of them.

    Attributes:
        keys: the views.
        values: ``(V,)`` float64.
        covariance: ``(V, V)`` float64 of their errors; NaN if unknown.
        degrees_of_freedom: number of independent observations minus 1.
    """

    keys: tuple[Key, ...]
    values: Tensor
    covariance: Tensor
    degrees_of_freedom: int


class Contributions:
    """Accumulates, block by block, the effect of each view's units on the mean score.

    A method that is a regression knows these effects itself, and from fewer masks.
    """

    def __init__(self) -> None:
        self._sums: list[tuple[Tensor, Tensor, Tensor]] = []  # per block: Σ s g, Σ g, (Σ s, number of masks)
        self._n_units: dict[Key, int] = {}
        self._group = 1
        self._estimator: Estimator | None = None

    def __len__(self) -> int:
        return len(self._sums)

    def __call__(self, tried: Tried) -> None:
        """Add the scores of one block of masks."""
        units = tried.perturbed.units
        if isinstance(units, ViewUnits):
            self._n_units = {key: part.n_units for key, part in units.units.items()}
        self._group, self._estimator = tried.perturbed.design.group, tried.estimator
        bits, scores = tried.block.bits.double(), tried.scores.cpu()
        self._sums.append((scores @ bits, bits.sum(0), torch.stack([scores.sum(), scores.new_tensor(len(scores))])))

    def totals(self) -> Totals:
        """Totals of the views; needs a block of masks."""
        estimator = self._estimator
        if isinstance(estimator, Regression) and isinstance(estimator.cells, ViewCells):
            values, covariance = estimator.sums(estimator.cells.of_views)
            n_rows = sum(item.n_rows for item in estimator.strata)
            return Totals(tuple(estimator.cells.parts), values, covariance, n_rows - 1)
        return self._moments()

    def _moments(self) -> Totals:
        """Totals of each independent group of mask blocks, and the variance between groups."""
        group = self._group if len(self._sums) // self._group >= MIN_GROUPS else 1
        rows = []
        for start in range(0, len(self._sums) - group + 1, group):
            score_sums, kept_counts, overall = (
                torch.stack(blocks).sum(0) for blocks in zip(*self._sums[start : start + group], strict=True)
            )
            rows.append(score_sums / kept_counts - overall[0] / overall[1])
        views = torch.split(torch.stack(rows), list(self._n_units.values()), dim=1)
        totals = torch.stack([view.sum(1) for view in views])
        n = totals.shape[1]
        covariance = (
            torch.cov(totals).view(len(views), -1) / n if n > 1 else totals.new_full((len(views),) * 2, torch.nan)
        )
        return Totals(tuple(self._n_units), totals.mean(1), covariance, n - 1)
