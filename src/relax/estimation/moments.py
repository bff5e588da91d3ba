"""Moments: sums over masks that determine importance, uncertainty and standard error.

With scores s_n and masks M_n (Wickstrøm et al. 2023, in ratio form):

* importance ``R = Σ s_n M_n / Σ M_n``;
* uncertainty ``U = Σ s_n² M_n / Σ M_n − R²``, the variance of the score over the masks that keep a pixel: a property
  of encoder and input that does not shrink with more masks;
* standard error of R, the Monte-Carlo error, from the variance between independent parts of the masks: with
  ``N_b = Σ_{n∈b} s_n M_n`` and ``D_b = Σ_{n∈b} M_n`` for part b, ``SE² = B/(B−1) · Σ_b (N_b − R D_b)² / (Σ_b D_b)²``,
  the linearised variance of a ratio (Cochran, Sampling Techniques, 1977, §2.11). It falls as 1/√n.

Parts are blocks or groups of blocks. If a design draws the placements of several blocks jointly, only whole groups are
independent: the blocks of a group complement each other, and the variance between them overstates the error. Groups
are used from ``MIN_GROUPS`` groups on, blocks before that, so that the standard error of a short run is conservative.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from relax.errors import ArgumentError
from relax.modalities.units import Block, Units

MIN_GROUPS = 8
"""Minimum number of groups for a standard error from groups instead of blocks."""


class _Spread:
    """Second moments of the sums of independent parts: Σ D², Σ N D, Σ N²."""

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
        """Variance of a ratio whose denominator ``visible`` is the sum over ``parts`` such parts."""
        if self.n < 2:
            return torch.full_like(ratio, math.nan)
        squares = self._products[2] - 2 * ratio * self._products[1] + ratio.square() * self._products[0]
        return squares.clamp_min(0) / (self.n - 1) * parts / visible.square()


def correlation(noise: float, signal: float) -> float:
    """Estimated correlation of a map with its converged version, in [0, 1].

    Args:
        noise: mean error variance of the map.
        signal: spatial variance of the map, noise included.
    """
    return math.sqrt(min(max(1 - noise / signal, 0.0), 1.0)) if signal > 0 else 0.0


class Moments:
    """Streaming, mergeable sums in double precision; constant memory.

    Args:
        shape: shape of the maps, ``(H, W)`` for images.
        device: device of the sums.
        group: number of consecutive blocks with jointly drawn placements.
    """

    def __init__(self, shape: tuple[int, ...], device: torch.device | str = "cpu", group: int = 1) -> None:
        self.shape = tuple(shape)
        self.group = group
        self.n_masks: int = 0
        self.n_blocks: int = 0
        # The last column is the spatial mean: its error is the error of the level that all pixels share.
        columns = math.prod(self.shape) + 1
        self._sums = torch.zeros(3, columns, dtype=torch.float64, device=device)  # Σ M, Σ s M, Σ s² M
        self._open = torch.zeros(2, columns, dtype=torch.float64, device=device)  # sums of the incomplete group
        self._scores = torch.zeros((), dtype=torch.float64, device=device)
        self._blocks = _Spread(columns, device)
        self._groups = _Spread(columns, device)

    def update(self, units: Units, block: Block, scores: Tensor) -> None:
        """Add one block of masks.

        Args:
            units: units that the block keeps or removes.
            block: the next block of the design, with ``B`` masks.
            scores: scores of the masks, ``(B,)`` float64.
        """
        weights = torch.stack([torch.ones_like(scores), scores, scores.square()])
        sums = units.pull_back(weights, block).flatten(1)
        self._scores += scores.sum()
        self.add(torch.cat([sums, sums.mean(1, keepdim=True)], dim=1), len(block))

    def add(self, sums: Tensor, n_masks: int) -> None:
        """Add the sums of one block.

        Args:
            sums: ``Σ M``, ``Σ s M`` and ``Σ s² M``, ``(3, H·W + 1)`` float64; the last column is the spatial mean.
            n_masks: number of masks in the block.
        """
        self._sums += sums
        self._blocks.add(sums[0], sums[1])
        self._open += sums[:2]
        self.n_masks += n_masks
        self.n_blocks += 1
        if self.n_blocks % self.group == 0:
            self._groups.add(self._open[0], self._open[1])
            self._open.zero_()

    def merge(self, other: Moments) -> None:
        """Add the sums of independent masks, such as those of another seed.

        Incomplete groups on either side count for the maps, but not for the standard error from groups.

        Raises:
            ArgumentError: shapes or group sizes differ.
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
        """Importance map, ``(H, W)`` float64, in units of the score; NaN where no mask kept the pixel."""
        return self._map(self._importance())

    def uncertainty(self) -> Tensor:
        """Uncertainty map, ``(H, W)`` float64, non-negative, in squared units of the score."""
        return self._map((self._sums[2] / self._sums[0] - self._importance().square()).clamp_min(0))

    def standard_error(self) -> Tensor:
        """Standard error map, ``(H, W)`` float64, in units of the score; NaN with fewer than two blocks."""
        return self._map(self._error_variance().sqrt())

    def effect(self) -> Tensor:
        """Importance minus the mean score, ``(H, W)`` float64, in units of the score."""
        return self.importance() - self.mean_score()

    def variance(self, level: bool = True) -> Tensor:
        """Squared standard error of the importance, ``(H, W)`` float64.

        Args:
            level: whether to include the error of the level, which all pixels share.
        """
        variance = self._error_variance()
        return self._map(variance) if level else (self._map(variance) - variance[-1]).clamp_min(0)

    def level_variance(self) -> float:
        """Squared standard error of the level, the spatial mean of the map."""
        return float(self._error_variance()[-1])

    def mean_score(self) -> float:
        """Mean score over all masks, which is the importance of a pixel that has no effect."""
        return float(self._scores) / max(self.n_masks, 1)

    def reliability(self) -> float:
        """Estimated correlation of the importance with the fully converged map, in [0, 1].

        ``ρ² = 1 − (mean(SE²) − SE²(mean)) / Var(R)``: the share of the map's spatial variance that is not Monte-Carlo
        noise. The error of the level does not affect the pattern of the map and is left out. NaN with fewer than two
        blocks, 0 if noise explains all of the variance.
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
        """Degrees of freedom of the standard error: one less than the number of parts; 0 without a standard error."""
        return max(self._independent.n - 1, 0)

    @property
    def _independent(self) -> _Spread:
        return self._groups if self._groups.n >= MIN_GROUPS else self._blocks

    def _error_variance(self) -> Tensor:
        blocks_per_part = self.group if self._independent is self._groups else 1
        return self._independent.variance(self._importance(), self._sums[0], self.n_blocks / blocks_per_part)

    def _map(self, values: Tensor) -> Tensor:
        return values[:-1].view(self.shape)
