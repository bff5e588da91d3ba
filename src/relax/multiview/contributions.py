"""What each view contributes to the score, with its error."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from relax.encoders import Key
from relax.estimation.crossfitted import CrossFitted
from relax.estimation.estimators import Enumeration, Estimator
from relax.estimation.moments import MIN_GROUPS
from relax.estimation.posterior import Posterior
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
        reliabilities: estimated correlation of each view's map with the converged one, if the method is a regression.
    """

    keys: tuple[Key, ...]
    values: Tensor
    covariance: Tensor
    degrees_of_freedom: int
    reliabilities: Mapping[Key, float] = field(default_factory=dict)


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
        regressions = self._regressions()
        if not regressions:
            return self._moments()
        n_views, cells = len(self._n_units), regressions[0][1]
        weights = torch.cat([cells.of_views, cells.mean_units])
        sums = [regression.sums(weights) for regression, _ in regressions]
        values = torch.stack([mean for mean, _ in sums]).mean(0)[:n_views]
        covariance = torch.stack([error for _, error in sums]).sum(0) / len(sums) ** 2
        n_rows = sum(item.n_rows for regression, _ in regressions for item in regression.strata)
        reliabilities = {}
        if len(regressions) == 1:
            common = covariance.diagonal()[n_views:].tolist()
            reliabilities = _reliabilities(regressions[0][0].posterior(), cells, common)
        return Totals(tuple(cells.parts), values, covariance[:n_views, :n_views], n_rows - 1, reliabilities)

    def _regressions(self) -> list[tuple[Regression, ViewCells]]:
        """The regressions behind the maps, with their cells: one, or that of each fold of ``relax-crossfit``."""
        folds = self._estimator.folds if isinstance(self._estimator, CrossFitted) else [self._estimator]
        regressions = [each for each in folds if isinstance(each, Regression) and each.n_masks]
        return [(each, each.cells) for each in regressions if isinstance(each.cells, ViewCells)]

    def _moments(self) -> Totals:
        """Totals of each independent group of mask blocks, and the variance between groups; exact with all masks."""
        whole = isinstance(self._estimator, Enumeration)
        n_blocks = len(self._sums)
        group = n_blocks if whole else self._group if n_blocks // self._group >= MIN_GROUPS else 1
        rows = []
        for start in range(0, n_blocks - group + 1, group):
            score_sums, kept_counts, overall = (
                torch.stack(blocks).sum(0) for blocks in zip(*self._sums[start : start + group], strict=True)
            )
            rows.append(score_sums / kept_counts - overall[0] / overall[1])
        views = torch.split(torch.stack(rows), list(self._n_units.values()), dim=1)
        totals = torch.stack([view.sum(1) for view in views])
        n = totals.shape[1]
        covariance = totals.new_full((len(totals), len(totals)), 0.0 if whole else torch.nan)
        if n > 1:
            covariance = torch.cov(totals).view_as(covariance) / n
        return Totals(tuple(self._n_units), totals.mean(1), covariance, n - 1)


def _reliabilities(posterior: Posterior, cells: ViewCells, common: Sequence[float]) -> dict[Key, float]:
    """Reliability of each view's map.

    Args:
        posterior: of all views together.
        cells: their cells.
        common: variance of the mean effect of each view.
    """
    found = {}
    for (key, mine), shared in zip(cells.slices.items(), common, strict=True):
        own = (posterior.effects[mine], posterior.variances[mine], shared, posterior.squares[mine])
        found[key] = Posterior(*own).reliability()
    return found
