"""Region to region: which parts of one input answer which parts of another.

Two inputs a and b are masked independently of each other. With directions ``û = h̃_a / ‖h̃_a‖`` and ``v̂`` likewise
(plain vectors for the dot product), every pair of masks has the score ``⟨û_n, v̂_m⟩``: N forwards on each side give N²
scores. For a cell r of a and a cell q of b the interaction is

    J_rq = E[s | r, q] − E[s | r] − E[s | q] + E[s] = ⟨E[û | r] − E[û], E[v̂ | q] − E[v̂]⟩,

where ``E[· | r]`` weighs masks by how much of the cell they show: what r and q do together for the similarity beyond
what each does alone. Summed over all pairs of masks by the right-hand side, never one by one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from relax.errors import ArgumentError
from relax.masks import Block, Units

CLEAR = 2.0
"""Standard errors beyond which an interaction, or a difference, is said to be there."""


@dataclass(frozen=True, eq=False)
class Side:
    """One of the two inputs, masked.

    Attributes:
        representations: ``(N, D)`` of the masked input, in the order of the blocks.
        shown: ``(N, C)`` share of each cell that a mask shows.
        block_sizes: masks in each block.
    """

    representations: Tensor
    shown: Tensor
    block_sizes: list[int]

    @classmethod
    def of(cls, representations: Tensor, units: Units, blocks: list[Block], cells: int) -> Side:
        """From masks to the share of each of ``cells x cells`` cells that they show."""
        shown = torch.cat([F.adaptive_avg_pool2d(units.masks(block)[:, None], cells).flatten(1) for block in blocks])
        return cls(representations.double().cpu(), shown.double().cpu(), [len(block) for block in blocks])

    def contrasts(self) -> tuple[Tensor, Tensor]:
        """``(C, D)`` differences ``E[û | cell] − E[û]``, and ``(B, C, D)`` the same without one block each."""
        ones = torch.ones(len(self.shown), 1, dtype=torch.float64)
        weights = torch.cat([self.shown, ones], dim=1)  # the last column weighs all masks alike: E[û]
        ends = np.cumsum(self.block_sizes).tolist()
        rows = [slice(end - size, end) for end, size in zip(ends, self.block_sizes, strict=True)]
        sums = torch.stack([weights[some].mT @ self.representations[some] for some in rows])
        totals = torch.stack([weights[some].sum(0) for some in rows])[..., None]
        means = sums.sum(0) / totals.sum(0)
        left_out = (sums.sum(0) - sums) / (totals.sum(0) - totals)
        return means[:-1] - means[-1:], left_out[:, :-1] - left_out[:, -1:]


@dataclass(frozen=True, eq=False, repr=False)
class Interactions:
    """What cells of two inputs do together for their similarity.

    Attributes:
        values: ``(C, C)`` float64 in units of the similarity, cells of a in rows, of b in columns, row by row from the
            upper left.
        standard_error: ``(C, C)`` Monte-Carlo error, by leaving out blocks of masks on either side.
        cells: cells along each side.
    """

    values: np.ndarray
    standard_error: np.ndarray
    cells: int

    def __repr__(self) -> str:
        return f"Interactions(of {self.cells}x{self.cells} cells with as many)"

    @classmethod
    def between(cls, a: Side, b: Side, similarity: str, cells: int) -> Interactions:
        """Of two masked inputs.

        Args:
            a: the one in rows.
            b: the one in columns.
            similarity: ``"cosine"`` or ``"dot"``.
            cells: along each side.
        """
        if similarity not in ("cosine", "dot"):
            raise ArgumentError(f"interactions need similarity='cosine' or 'dot', got {similarity!r}")
        if min(len(a.block_sizes), len(b.block_sizes)) < 2:
            raise ArgumentError("interactions need at least two blocks of masks on either side; ask for more n_masks")
        if similarity == "cosine":
            a, b = (Side(F.normalize(s.representations, dim=1), s.shown, s.block_sizes) for s in (a, b))
        (whole_a, without_a), (whole_b, without_b) = a.contrasts(), b.contrasts()
        values = whole_a @ whole_b.T
        variance = _jackknife(without_a @ whole_b.T) + _jackknife(whole_a @ without_b.mT)
        return cls(values.numpy(), variance.sqrt().numpy(), cells)

    def answers(self, effect: np.ndarray, k: int = 3) -> list[dict[str, Any]]:
        """For the strongest cells of a: which cell of b answers each most.

        Args:
            effect: ``(H, W)`` map on a, by which cells are ranked; cells beside a chosen one are passed over.
            k: how many.

        Returns:
            A row a cell: ``cell`` and ``answer`` as (row, column), ``effect``, ``interaction``, ``standard_error``.
        """
        pooled = F.adaptive_avg_pool2d(torch.from_numpy(np.array(effect, dtype=np.float64))[None], self.cells)[0]
        chosen: list[tuple[int, int]] = []
        for flat in torch.argsort(pooled.flatten(), descending=True).tolist():
            row, column = divmod(flat, self.cells)
            if all(max(abs(row - r), abs(column - c)) > 1 for r, c in chosen):
                chosen.append((row, column))
            if len(chosen) == k:
                break
        rows = []
        for row, column in chosen:
            number = row * self.cells + column
            best = int(np.argmax(self.values[number]))
            rows.append(
                {
                    "cell": (row, column),
                    "effect": float(pooled[row, column]),
                    "answer": divmod(best, self.cells),
                    "interaction": float(self.values[number, best]),
                    "standard_error": float(self.standard_error[number, best]),
                }
            )
        return rows

    def map_of(self, cell: tuple[int, int], errors: float = 0.0) -> np.ndarray:
        """``(cells, cells)`` interactions of a cell of a with all cells of b.

        Args:
            cell: (row, column) in a.
            errors: NaN where an interaction is smaller than this many standard errors.
        """
        row = cell[0] * self.cells + cell[1]
        seen = np.where(np.abs(self.values[row]) < errors * self.standard_error[row], np.nan, self.values[row])
        return seen.reshape(self.cells, self.cells)


def _jackknife(estimates: Tensor) -> Tensor:
    """Variance of an estimate from those without one block each, blocks in front."""
    n = len(estimates)
    return (n - 1) / n * (estimates - estimates.mean(0)).square().sum(0)
