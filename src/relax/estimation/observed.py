"""What a regression has observed of one stratum: scores of masks, and slopes of the scores."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import torch
from torch import Tensor

COMPRESSED = 1.5
"""Rows of a stratum are replaced by pseudo rows when they are this many times the columns."""

SHARED = 0.5
"""Part of the noise of mean slopes that is the same everywhere; the rest is in proportion to their variance."""


@dataclass(eq=False)
class Slopes:
    """Derivatives of the scores in the kept shares of groups of cells, over the masks of one stratum.

    Attributes:
        n: number of masks.
        total: ``(Q,)`` float64 sum over masks.
        squares: ``(Q,)`` float64 sum of squares.
    """

    n: int = 0
    total: Tensor = field(default_factory=lambda: torch.zeros(0, dtype=torch.float64))
    squares: Tensor = field(default_factory=lambda: torch.zeros(0, dtype=torch.float64))

    def add(self, slopes: Tensor) -> None:
        """Add the slopes of a block of masks, ``(B, Q)`` float64."""
        if not self.n:
            self.total = self.squares = slopes.new_zeros(slopes.shape[1])
        self.n += len(slopes)
        self.total = self.total + slopes.sum(0)
        self.squares = self.squares + slopes.square().sum(0)

    @property
    def mean(self) -> Tensor:
        """Mean slope of each group, ``(Q,)``."""
        return self.total / self.n

    @property
    def spread(self) -> Tensor:
        """Noise variance of each mean slope relative to the average one, ``(Q,)``."""
        variance = (self.squares / self.n - self.mean.square()).clamp_min(0)
        average = float(variance.mean())
        return SHARED + (1 - SHARED) * variance / average if average > 0 else torch.ones_like(variance)


@dataclass(eq=False)
class Observed:
    """Observations of one stratum.

    Attributes:
        weight: weight of the stratum in the level.
        keep: probability of keeping a unit.
        columns: ``(N, 1 + P + 2)`` float64: level, kept shares minus the keep probability, score and its square; of a
            pair of complements, half the differences.
        fill: index of the stratum's fill among those of the run.
        n_rows: number of rows before compression.
        means: mean score of each block.
        squares: mean squared score of each block.
        mean_variances: variance of each block's mean if its masks, or pairs of masks, were independent.
        balances: what the balance of each block leaves of that variance, in [0, 1].
        net: number of consecutive blocks whose placements are spread evenly; 1 for units that do not move.
        least: smallest score.
        most: largest score.
        slopes: derivatives of the scores, where a method takes them.
    """

    weight: float
    keep: float
    columns: Tensor
    fill: int = 0
    n_rows: int = 0
    means: list[float] = field(default_factory=list)
    squares: list[float] = field(default_factory=list)
    mean_variances: list[float] = field(default_factory=list)
    balances: list[float] = field(default_factory=list)
    net: int = 1
    least: float = math.inf
    most: float = -math.inf
    slopes: Slopes = field(default_factory=Slopes)

    def add(self, shares: Tensor, scores: Tensor, bits: Tensor | None = None) -> None:
        """Add a block of masks.

        Args:
            shares: ``(B, P)`` kept shares minus the keep probability.
            scores: ``(B,)``.
            bits: ``(B, U)``, whether each unit is kept; ``None`` if unknown, for the error of the level.
        """
        self.least, self.most = min(self.least, float(scores.min())), max(self.most, float(scores.max()))
        self.means.append(float(scores.mean()))
        self.squares.append(float(scores.square().mean()))
        columns = torch.cat([torch.ones(len(scores), 1).double(), shares, scores[:, None], scores[:, None] ** 2], 1)
        half, independent, balance = len(columns) // 2, scores, 1.0
        if len(columns) % 2 == 0 and torch.allclose(shares[:half], -shares[half:], atol=1e-5):
            columns = (columns[:half] - columns[half:]) / 2
            independent = (scores[:half] + scores[half:]) / 2
            balance = 1.0 if bits is None else _left(bits[:half])
        self.mean_variances.append(float(independent.var(correction=0)) / max(len(independent) - 1, 1))
        self.balances.append(balance)
        self.columns = torch.cat([self.columns, columns])
        self.n_rows += len(columns)
        if len(self.columns) > COMPRESSED * columns.shape[1]:
            self.columns = torch.linalg.qr(self.columns, mode="r").R

    def level_variance(self) -> float:
        """Variance of the error of the level.

        The mean of a block has the error of its masks, of which the balance of the block leaves a part, and depends on
        the placement of the block. What placements add is a weighted mean of the spread between the n blocks, with
        weight n − 1, and of a guess with weight 1: the part of the variance that balance takes away, so that a single
        block has the variance of independent masks. Over the blocks of a complete net, whose placements are spread
        evenly, it is taken to fall with the square of their number. Units that do not move differ by interactions of
        more than two units instead, and form no net.
        """
        n = len(self.means)
        within = sum(self.mean_variances) / n
        left = within * sum(self.balances) / n
        between = float(torch.tensor(self.means, dtype=torch.float64).var()) if n > 1 else 0.0
        placed = max((n - 1) * (between - left) + within - left, 0.0) / n
        return (left + placed / (self.net if n >= self.net else 1)) / n

    @property
    def level(self) -> float:
        """Mean score of all masks."""
        return sum(self.means) / len(self.means)

    @property
    def variance(self) -> float:
        """Variance of the score over all masks."""
        return max(sum(self.squares) / len(self.squares) - self.level**2, 0.0)


def _left(bits: Tensor) -> float:
    """Share of the variance of a mean over masks that is left by their balance, in [0, 1].

    Mean square of the products of two units, ±1, averaged over the masks, in that of independent masks: 0 if all pairs
    of units are balanced, as in an orthogonal array, so that interactions of two units do not change the mean.

    Args:
        bits: ``(n, U)`` of one mask of each pair of complements.
    """
    n_masks, n_units = bits.shape
    if n_units < 2:
        return 1.0
    signs = 2 * bits.double() - 1
    total = (signs @ signs.T / n_masks).square().sum()  # as that of signs.T @ signs, whose diagonal is 1
    mean = float(total - n_units) / (n_units * (n_units - 1))
    return min(max(mean, 0.0) * n_masks, 1.0)
