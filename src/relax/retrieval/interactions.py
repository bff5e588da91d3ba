"""Region-to-region interactions: which parts of one input answer which parts of another.

Two inputs a and b are masked independently. With directions ``û = h̃_a / ‖h̃_a‖`` and ``v̂`` likewise (plain vectors for
the dot product), every pair of masks has the score ``⟨û_n, v̂_m⟩``, so N forward passes on each side give N² scores. The
interaction of a cell r of a and a cell q of b is

    J_rq = E[s | r, q] − E[s | r] − E[s | q] + E[s] = ⟨E[û | r] − E[û], E[v̂ | q] − E[v̂]⟩,

where ``E[· | r]`` weights each mask by how much of the cell it shows. It measures what r and q contribute to the
similarity together, beyond what each contributes alone. The right-hand side covers all pairs of masks without
enumerating them.
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
"""Number of standard errors from which an interaction, or a difference, counts as found."""


class Side:
    """Accumulates one masked input during a run; keeps weighted sums per block of masks, not the representations.

    Args:
        cells: number of cells along each side.
        similarity: ``"cosine"``, which normalises the representations, or ``"dot"``.

    Raises:
        ArgumentError: another similarity is given.
    """

    def __init__(self, cells: int, similarity: str) -> None:
        if similarity not in ("cosine", "dot"):
            raise ArgumentError(f"interactions need similarity='cosine' or 'dot', got {similarity!r}")
        self.cells, self.similarity = cells, similarity
        self._sums: list[Tensor] = []
        self._totals: list[Tensor] = []

    @property
    def n_blocks(self) -> int:
        """Number of blocks of masks so far."""
        return len(self._sums)

    def __call__(self, tried: Tried) -> None:
        """Add one evaluated block of masks."""
        device = tried.representations.device
        self.add(tried.perturbed.units.masks(tried.block.to(device)), tried.representations)

    def add(self, masks: Tensor, representations: Tensor) -> None:
        """Add one block of masks.

        Args:
            masks: ``(B, H, W)``.
            representations: ``(B, D)``: representations of the input under these masks.
        """
        vectors = representations.double().cpu()
        if self.similarity == "cosine":
            vectors = F.normalize(vectors, dim=1)
        shown = F.adaptive_avg_pool2d(masks[:, None], self.cells).flatten(1).double().cpu()
        weights = torch.cat(
            [shown, shown.new_ones(len(shown), 1)], dim=1
        )  # the last column weights all masks equally: E[û]
        self._sums.append(weights.mT @ vectors)
        self._totals.append(weights.sum(0)[:, None])

    def shifts(self) -> tuple[Tensor, Tensor]:
        """Shifts of the mean representation by each cell, for ``C`` cells and ``B`` blocks.

        Returns:
            ``(C, D)`` differences ``E[û | cell] − E[û]``, and ``(B, C, D)`` the same with each block left out.
        """
        sums, totals = torch.stack(self._sums), torch.stack(self._totals)
        means = sums.sum(0) / totals.sum(0)
        left_out = (sums.sum(0) - sums) / (totals.sum(0) - totals)
        return means[:-1] - means[-1:], left_out[:, :-1] - left_out[:, -1:]


@dataclass(frozen=True, eq=False, repr=False)
class Interactions:
    """What pairs of cells of two inputs contribute to their similarity together.

    Attributes:
        values: ``(C, C)`` float64 in units of the similarity; rows are cells of a, columns cells of b, both in
            row-major order.
        standard_error: ``(C, C)`` Monte Carlo standard error, by the jackknife over blocks of masks on either side.
        cells: number of cells along each side.
    """

    values: np.ndarray
    standard_error: np.ndarray
    cells: int

    def __repr__(self) -> str:
        return f"Interactions({self.cells}x{self.cells} cells per input)"

    @classmethod
    def between(cls, a: Side, b: Side) -> Interactions:
        """Estimate the interactions of two masked inputs.

        Args:
            a: the input in rows.
            b: the input in columns, with the same number of cells.

        Raises:
            ArgumentError: an input has fewer than two blocks of masks.
        """
        if min(a.n_blocks, b.n_blocks) < 2:
            raise ArgumentError("interactions need at least two blocks of masks per input; increase n_masks")
        (whole_a, without_a), (whole_b, without_b) = a.shifts(), b.shifts()
        values = whole_a @ whole_b.T
        variance = _jackknife(without_a @ whole_b.T) + _jackknife(whole_a @ without_b.mT)
        return cls(values.numpy(), variance.sqrt().numpy(), a.cells)

    def answers(self, effect: np.ndarray, k: int = 3) -> list[dict[str, Any]]:
        """Find the cell of b that answers most to each of the strongest cells of a.

        Args:
            effect: ``(H, W)`` map on a that ranks its cells; neighbours of a chosen cell are skipped.
            k: number of cells.

        Returns:
            One row per cell: ``cell`` and ``answer`` as (row, column), ``effect``, ``interaction``, ``standard_error``.
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
        """Interactions of one cell of a with all cells of b, ``(cells, cells)``.

        Args:
            cell: (row, column) in a.
            errors: interactions smaller than this many standard errors become NaN.
        """
        row = cell[0] * self.cells + cell[1]
        clear = np.where(np.abs(self.values[row]) < errors * self.standard_error[row], np.nan, self.values[row])
        return clear.reshape(self.cells, self.cells)


def _jackknife(estimates: Tensor) -> Tensor:
    """Jackknife variance from leave-one-out estimates along the first dimension."""
    n = len(estimates)
    return (n - 1) / n * (estimates - estimates.mean(0)).square().sum(0)
