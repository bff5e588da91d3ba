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
from relax.estimation.strata import Tried

CLEAR = 2.0
"""Standard errors beyond which an interaction, or a difference, is said to be there."""


class Side:
    """One of the two inputs, masked; watches a run, and keeps sums over each block of masks, no representations.

    Args:
        cells: along each side.
        similarity: ``"cosine"``, for which representations are taken by their direction, or ``"dot"``.
    """

    def __init__(self, cells: int, similarity: str) -> None:
        if similarity not in ("cosine", "dot"):
            raise ArgumentError(f"interactions need similarity='cosine' or 'dot', got {similarity!r}")
        self.cells, self.similarity = cells, similarity
        self._sums: list[Tensor] = []
        self._totals: list[Tensor] = []

    @property
    def n_blocks(self) -> int:
        """Blocks of masks so far."""
        return len(self._sums)

    def __call__(self, tried: Tried) -> None:
        """Add one block of masks that was tried."""
        device = tried.representations.device
        self.add(tried.perturbed.units.masks(tried.block.to(device)), tried.representations)

    def add(self, masks: Tensor, representations: Tensor) -> None:
        """Add one block of masks.

        Args:
            masks: ``(B, H, W)``.
            representations: ``(B, D)`` of the input under them.
        """
        vectors = representations.double().cpu()
        if self.similarity == "cosine":
            vectors = F.normalize(vectors, dim=1)
        shown = F.adaptive_avg_pool2d(masks[:, None], self.cells).flatten(1).double().cpu()
        weights = torch.cat([shown, shown.new_ones(len(shown), 1)], dim=1)  # the last column weighs all alike: E[û]
        self._sums.append(weights.mT @ vectors)
        self._totals.append(weights.sum(0)[:, None])

    def shifts(self) -> tuple[Tensor, Tensor]:
        """``(C, D)`` differences ``E[û | cell] − E[û]``, and ``(B, C, D)`` the same without one block each."""
        sums, totals = torch.stack(self._sums), torch.stack(self._totals)
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
    def between(cls, a: Side, b: Side) -> Interactions:
        """Of two masked inputs.

        Args:
            a: the one in rows.
            b: the one in columns, with as many cells.
        """
        if min(a.n_blocks, b.n_blocks) < 2:
            raise ArgumentError("interactions need at least two blocks of masks on either side; ask for more n_masks")
        (whole_a, without_a), (whole_b, without_b) = a.shifts(), b.shifts()
        values = whole_a @ whole_b.T
        variance = _jackknife(without_a @ whole_b.T) + _jackknife(whole_a @ without_b.mT)
        return cls(values.numpy(), variance.sqrt().numpy(), a.cells)

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
