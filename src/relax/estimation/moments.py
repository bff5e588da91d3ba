"""Moments: the sums over masks from which the three maps are computed.

With scores s_n and masks M_n (Wickstrøm et al. 2023, in ratio form):

* importance ``R = Σ s_n M_n / Σ M_n``;
* uncertainty ``U = Σ s_n² M_n / Σ M_n − R²``, the spread (variance) of the score while a pixel is visible: it
  belongs to the encoder and the input, and does not shrink with more masks;
* standard error of R, the Monte-Carlo error, from the spread of independent parts of the masks: with sums over
  a part ``N_b = Σ_{n∈b} s_n M_n`` and ``D_b = Σ_{n∈b} M_n``, ``SE² = B/(B−1) · Σ_b (N_b − R D_b)² / (Σ_b D_b)²``,
  the linearised variance of a ratio (Cochran, Sampling Techniques, 1977, §2.11). It falls as 1/√n.

The parts are blocks. Where a design chooses the placements of several blocks together, such a group is what is
independent; its blocks complement each other, so that their spread overstates the error. Groups are used as
soon as there are ``MIN_GROUPS`` of them, blocks until then: a standard error from few masks errs on the safe side.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from relax.errors import ArgumentError
from relax.modalities.units import Block, Units

MIN_GROUPS = 8
"""Groups of blocks from which their spread is trusted."""


class _Spread:
    """Sums of squares and products over parts of the masks: Σ D², Σ N D, Σ N²."""

    def __init__(self, columns: int, device: torch.device | str) -> None:
        self.n = 0
        self._products = torch.zeros(3, columns, dtype=torch.float64, device=device)

    def add(self, visible: Tensor, scored: Tensor) -> None:
        self.n += 1
        self._products += torch.stack([visible.square(), scored * visible, scored.square()])

    def merge(self, other: _Spread) -> None:
        self.n += other.n
        self._products += other._products.to(self._products.device)

    def variance(self, ratio: Tensor, visible: Tensor, parts: float) -> Tensor:
        """Of a ratio whose denominator ``visible`` sums up ``parts`` parts like these."""
        if self.n < 2:
            return torch.full_like(ratio, math.nan)
        squares = self._products[2] - 2 * ratio * self._products[1] + ratio.square() * self._products[0]
        return squares.clamp_min(0) / (self.n - 1) * parts / visible.square()


def correlation(noise: float, signal: float) -> float:
    """With the converged map, for a map of spatial variance ``signal`` and error variance ``noise``; in [0, 1]."""
    return math.sqrt(min(max(1 - noise / signal, 0.0), 1.0)) if signal > 0 else 0.0


class Moments:
    """Streaming, mergeable sums in double precision; memory does not depend on the number of masks.

    Args:
        shape: shape of the maps, ``(H, W)`` for images.
        device: where the sums are kept.
        group: consecutive blocks whose placements the design chose together.
    """

    def __init__(self, shape: tuple[int, ...], device: torch.device | str = "cpu", group: int = 1) -> None:
        self.shape = tuple(shape)
        self.group = group
        self.n_masks: int = 0
        self.n_blocks: int = 0
        # The last column is the mean over the map: its error is an error of level, not of the map's pattern.
        columns = math.prod(self.shape) + 1
        self._sums = torch.zeros(3, columns, dtype=torch.float64, device=device)  # Σ M, Σ s M, Σ s² M
        self._open = torch.zeros(2, columns, dtype=torch.float64, device=device)  # the group that is not complete
        self._scores = torch.zeros((), dtype=torch.float64, device=device)
        self._blocks = _Spread(columns, device)
        self._groups = _Spread(columns, device)

    def update(self, units: Units, block: Block, scores: Tensor) -> None:
        """Add one block of masks.

        Args:
            units: the units that the block's bits belong to.
            block: the design's next block, of ``B`` masks.
            scores: ``(B,)`` float64.
        """
        weights = torch.stack([torch.ones_like(scores), scores, scores.square()])
        sums = units.pull_back(weights, block).flatten(1)
        self._scores += scores.sum()
        self.add(torch.cat([sums, sums.mean(1, keepdim=True)], dim=1), len(block))

    def add(self, sums: Tensor, n_masks: int) -> None:
        """Add the sums ``Σ M, Σ s M, Σ s² M`` of one block, ``(3, H·W + 1)``, the last column their mean."""
        self._sums += sums
        self._blocks.add(sums[0], sums[1])
        self._open += sums[:2]
        self.n_masks += n_masks
        self.n_blocks += 1
        if self.n_blocks % self.group == 0:
            self._groups.add(self._open[0], self._open[1])
            self._open.zero_()

    def merge(self, other: Moments) -> None:
        """Add the sums of other masks, independent of these, to the sums of these.

        A group that is not complete on either side counts for the maps, not for the spread of groups.
        """
        if (other.shape, other.group) != (self.shape, self.group):
            raise ArgumentError(
                f"expected moments of shape {self.shape} in groups of {self.group}, got {other.shape} in groups of "
                f"{other.group}; merge maps of one size and design"
            )
        self._sums += other._sums.to(self._sums.device)
        self._scores += other._scores.to(self._scores.device)
        self._blocks.merge(other._blocks)
        self._groups.merge(other._groups)
        self.n_masks += other.n_masks
        self.n_blocks += other.n_blocks

    def importance(self) -> Tensor:
        """``(H, W)`` float64 in units of the score; NaN where no mask showed the pixel."""
        return self._map(self._importance())

    def uncertainty(self) -> Tensor:
        """``(H, W)`` float64, at least 0, in squared units of the score."""
        return self._map((self._sums[2] / self._sums[0] - self._importance().square()).clamp_min(0))

    def standard_error(self) -> Tensor:
        """``(H, W)`` float64 in units of the score; NaN with fewer than two blocks."""
        return self._map(self._error_variance().sqrt())

    def effect(self) -> Tensor:
        """``(H, W)`` float64: importance above the mean score."""
        return self.importance() - self.mean_score()

    def variance(self, level: bool = True) -> Tensor:
        """``(H, W)`` float64: squared standard error.

        Args:
            level: with the error that all pixels share, which moves the level of a map and not its pattern.
        """
        variance = self._error_variance()
        return self._map(variance) if level else (self._map(variance) - variance[-1]).clamp_min(0)

    def level_variance(self) -> float:
        """Squared standard error of the map's mean, the error that all pixels share."""
        return float(self._error_variance()[-1])

    def mean_score(self) -> float:
        """Over all masks: the importance of a pixel whose visibility makes no difference."""
        return float(self._scores) / max(self.n_masks, 1)

    def reliability(self) -> float:
        """Estimated correlation of the importance with the fully converged map, in [0, 1].

        ``ρ² = 1 − (mean(SE²) − SE²(mean)) / Var(R)``: the part of the map's spatial variance that is not
        Monte-Carlo noise. The error that all pixels share moves the level of a map and not its pattern, so it
        is left out. NaN with fewer than two blocks, 0 where noise explains all there is.
        """
        if self.n_blocks < 2:
            return math.nan
        variance = self._error_variance()
        noise = variance[:-1].nanmean() - variance[-1]
        values = self._importance()[:-1]
        spatial = (values - values.nanmean()).square().nanmean()
        return float((1 - noise.clamp_min(0) / spatial).clamp(0, 1).sqrt().nan_to_num(0.0))

    def _importance(self) -> Tensor:
        return self._sums[1] / self._sums[0]

    @property
    def degrees_of_freedom(self) -> int:
        """Of the standard error: one less than the parts that it was estimated from; 0 if it was not."""
        return max(self._independent.n - 1, 0)

    @property
    def _independent(self) -> _Spread:
        return self._groups if self._groups.n >= MIN_GROUPS else self._blocks

    def _error_variance(self) -> Tensor:
        blocks_a_part = self.group if self._independent is self._groups else 1
        return self._independent.variance(self._importance(), self._sums[0], self.n_blocks / blocks_a_part)

    def _map(self, values: Tensor) -> Tensor:
        return values[:-1].view(self.shape)
