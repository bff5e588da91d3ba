"""Moments: the sums over masks from which the three maps are computed.

With scores s_n and masks M_n (Wickstrøm et al. 2023, in ratio form):

* importance ``R = Σ s_n M_n / Σ M_n``;
* uncertainty ``U = Σ s_n² M_n / Σ M_n − R²``, the spread (variance) of the score while a pixel is visible: it
  belongs to the encoder and the input, and does not shrink with more masks;
* standard error of R, the Monte-Carlo error, from the spread of independent blocks: with block sums
  ``N_b = Σ_{n∈b} s_n M_n`` and ``D_b = Σ_{n∈b} M_n``, ``SE² = B/(B−1) · Σ_b (N_b − R D_b)² / (Σ_b D_b)²``, the
  linearised variance of a ratio (Cochran, Sampling Techniques, 1977, §2.11). It falls as 1/√n.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from relax.errors import ArgumentError
from relax.masks import Block, Units


class Moments:
    """Streaming, mergeable sums in double precision; memory does not depend on the number of masks.

    Args:
        shape: shape of the maps, ``(H, W)`` for images.
        device: where the sums are kept.
    """

    def __init__(self, shape: tuple[int, ...], device: torch.device | str = "cpu") -> None:
        self.shape = tuple(shape)
        self.n_masks = 0
        self.n_blocks = 0
        # The last column is the mean over the map: its error is an error of level, not of the map's pattern.
        columns = math.prod(self.shape) + 1
        self._sums = torch.zeros(3, columns, dtype=torch.float64, device=device)  # Σ M, Σ s M, Σ s² M
        self._products = torch.zeros(3, columns, dtype=torch.float64, device=device)  # Σ D², Σ N D, Σ N² over blocks

    def update(self, units: Units, block: Block, scores: Tensor) -> None:
        """Add one block of masks.

        Args:
            units: the units that the block's bits belong to.
            block: bits and placements of ``B`` masks, independent of all other blocks.
            scores: ``(B,)`` float64.
        """
        weights = torch.stack([torch.ones_like(scores), scores, scores.square()])
        sums = units.pull_back(weights, block).flatten(1)
        sums = torch.cat([sums, sums.mean(1, keepdim=True)], dim=1)
        visible, scored = sums[0], sums[1]
        self._sums += sums
        self._products += torch.stack([visible.square(), scored * visible, scored.square()])
        self.n_masks += len(block)
        self.n_blocks += 1

    def merge(self, other: Moments) -> None:
        """Add the sums of other, independent blocks, as if they had been given to :meth:`update`."""
        if other.shape != self.shape:
            raise ArgumentError(f"expected moments of shape {self.shape}, got {other.shape}; merge maps of one size")
        self._sums += other._sums.to(self._sums.device)
        self._products += other._products.to(self._products.device)
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

    def _error_variance(self) -> Tensor:
        if self.n_blocks < 2:
            return torch.full_like(self._sums[0], math.nan)
        ratio = self._importance()
        residual = self._products[2] - 2 * ratio * self._products[1] + ratio.square() * self._products[0]
        bessel = self.n_blocks / (self.n_blocks - 1)
        return bessel * residual.clamp_min(0) / self._sums[0].square()

    def _map(self, values: Tensor) -> Tensor:
        return values[:-1].view(self.shape)
