"""What a regression has observed of all strata, and the rows that it makes of it."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor

from relax.estimation.gaussian import Rows
from relax.estimation.observed import Observed
from relax.estimation.strata import Stratum
from relax.modalities.fills import Fill


@dataclass(eq=False)
class Observations:
    """Observations of all strata.

    Attributes:
        strata: what was observed of each stratum.
    """

    strata: list[Observed] = field(default_factory=list)
    _fills: list[Fill] = field(default_factory=list)
    _known: tuple[tuple[int, ...], Rows] | None = None

    def opened(self, stratum: Stratum, n_cells: int, net: int = 1) -> Observed:
        """Begin one more stratum.

        Args:
            stratum: kind of masks and fill.
            n_cells: number of cells of the map.
            net: number of consecutive blocks whose placements are spread evenly.
        """
        fill = next((number for number, known in enumerate(self._fills) if known is stratum.fill), len(self._fills))
        if fill == len(self._fills):
            self._fills.append(stratum.fill)
        columns = torch.zeros(0, n_cells + 3, dtype=torch.float64)
        self.strata.append(Observed(stratum.weight, stratum.masks.keep, columns, fill, net=net))
        return self.strata[-1]

    @property
    def weight(self) -> float:
        """Sum of the weights of the strata."""
        return sum(item.weight for item in self.strata)

    @property
    def shares(self) -> list[float]:
        """Weight of each stratum, of one."""
        return [item.weight / self.weight for item in self.strata]

    @property
    def level(self) -> float:
        """Mean score, weighted over strata."""
        return sum(v * item.level for v, item in zip(self.shares, self.strata, strict=True))

    @property
    def variance(self) -> float:
        """Variance of the score within strata, weighted over strata."""
        return sum(v * item.variance for v, item in zip(self.shares, self.strata, strict=True))

    @property
    def removed(self) -> float:
        """Probability of removing a unit, the mean over strata."""
        return sum(v * (1 - item.keep) for v, item in zip(self.shares, self.strata, strict=True))

    @property
    def range(self) -> tuple[float, float]:
        """Smallest and largest score."""
        return min(item.least for item in self.strata), max(item.most for item in self.strata)

    def level_variance(self) -> float:
        """Variance of the level's error."""
        return sum(v**2 * item.level_variance() for v, item in zip(self.shares, self.strata, strict=True))

    def over_fills(self, shares: list[float]) -> Tensor:
        """Sums over the strata of each fill, ``(F,)`` float64."""
        fills = torch.tensor([item.fill for item in self.strata])
        sums = torch.zeros(int(fills.max()) + 1, dtype=torch.float64)
        return sums.index_add_(0, fills, torch.tensor(shares, dtype=torch.float64))

    def rows(self) -> Rows:
        """Rows of all masks so far; the same object until there are more."""
        counts = tuple(item.n_rows for item in self.strata)
        if self._known is None or self._known[0] != counts:
            stratum = torch.cat([torch.full((len(item.columns),), k) for k, item in enumerate(self.strata)])
            columns = torch.cat([item.columns for item in self.strata])
            levels = torch.nn.functional.one_hot(stratum, len(self.strata)) * columns[:, :1]
            if not levels.any():
                levels = levels[:, :0]  # pairs have no level
            fills = torch.tensor([item.fill for item in self.strata])
            several = fills if fills.any() else None
            rows = Rows(levels, columns[:, 1:-2], columns[:, -2:], stratum, torch.tensor(counts), fills=several)
            self._known = counts, rows
        return self._known[1]

    def scores(self, rows: Rows, groups: Tensor) -> tuple[Rows, Tensor, float]:
        """Rows of masks and of slopes, their standardised responses, and the scale of both.

        Args:
            rows: rows of masks.
            groups: ``(Q, P)``, 1 for the cells of each group whose slopes were observed.
        """
        response, scale = standardised(rows, rows.responses[:, 0])
        for item in self.strata:
            if item.slopes.n:
                rows = rows.beside(groups, item.slopes.spread, item.fill)
                response = torch.cat([response, item.slopes.mean / scale])
        return rows, response, scale


def standardised(rows: Rows, response: Tensor) -> tuple[Tensor, float]:
    """A response over its standard deviation within strata, and that standard deviation."""
    within = response
    if rows.levels.shape[1]:
        means = (rows.levels.T @ response) / rows.levels.square().sum(0)
        within = response - rows.levels @ means
    scale = float((within.square().sum() / rows.counts.sum()).sqrt()) or 1.0
    return response / scale, scale
