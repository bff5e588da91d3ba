"""Region-to-region interactions: which parts of one input answer which parts of another.

Two inputs a and b are masked independently. With directions ``û = h̃_a / ‖h̃_a‖`` and ``v̂`` likewise (plain vectors for
the dot product), every pair of masks has the score ``⟨û_n, v̂_m⟩``, so N forward passes on each side give N² scores. The
interaction of a region r of a and a region q of b is

    J_rq = E[s | r, q] − E[s | r] − E[s | q] + E[s] = ⟨E[û | r] − E[û], E[v̂ | q] − E[v̂]⟩,

where ``E[· | r]`` weights each mask by how much of the region it shows. It measures what r and q contribute to the
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
from relax.estimation.designs import Exhaustive
from relax.estimation.strata import Tried
from relax.modalities.regions import Regions, strongest

CLEAR = 2.0
"""Number of standard errors from which an interaction, or a difference, counts as found."""


class Side:
    """Accumulates one masked input during a run; keeps weighted sums per block of masks, not the representations.

    Args:
        regions: regions of the input's map.
        similarity: ``"cosine"``, which normalises the representations, or ``"dot"``.

    Attributes:
        exact: whether all masks were tried, so that there is no Monte-Carlo error.

    Raises:
        ArgumentError: another similarity is given.
    """

    def __init__(self, regions: Regions, similarity: str) -> None:
        if similarity not in ("cosine", "dot"):
            raise ArgumentError(f"interactions need similarity='cosine' or 'dot', got {similarity!r}")
        self.regions, self.similarity = regions, similarity
        self.exact = False
        self._sums: list[Tensor] = []
        self._totals: list[Tensor] = []

    @property
    def n_blocks(self) -> int:
        """Number of blocks of masks so far."""
        return len(self._sums)

    def __call__(self, tried: Tried) -> None:
        """Add one evaluated block of masks."""
        device = tried.representations.device
        self.exact = isinstance(tried.perturbed.design, Exhaustive)
        self.add(tried.perturbed.units.masks(tried.block.to(device)), tried.representations)

    def add(self, masks: Tensor, representations: Tensor) -> None:
        """Add one block of masks.

        Args:
            masks: ``(B, *map shape)``.
            representations: ``(B, D)``: representations of the input under these masks.
        """
        vectors = representations.double().cpu()
        if self.similarity == "cosine":
            vectors = F.normalize(vectors, dim=1)
        shown = self.regions.shares(masks).double().cpu()
        weights = torch.cat(
            [shown, shown.new_ones(len(shown), 1)], dim=1
        )  # the last column weights all masks equally: E[û]
        self._sums.append(weights.mT @ vectors)
        self._totals.append(weights.sum(0)[:, None])

    def shifts(self) -> tuple[Tensor, Tensor]:
        """Shifts of the mean representation by each region, for ``C`` regions and ``B`` blocks.

        Returns:
            ``(C, D)`` differences ``E[û | region] − E[û]``, and ``(B, C, D)`` the same with each block left out.
        """
        sums, totals = torch.stack(self._sums), torch.stack(self._totals)
        means = sums.sum(0) / totals.sum(0)
        left_out = (sums.sum(0) - sums) / (totals.sum(0) - totals)
        return means[:-1] - means[-1:], left_out[:, :-1] - left_out[:, -1:]


@dataclass(frozen=True, eq=False, repr=False)
class Interactions:
    """What pairs of regions of two inputs contribute to their similarity together.

    Attributes:
        values: ``(A, B)`` float64 in units of the similarity; rows are regions of a, columns regions of b, both in
            row-major order.
        standard_error: ``(A, B)`` Monte Carlo standard error, by the jackknife over blocks of masks on either side; 0
            where all masks were tried.
        a: regions of the first input.
        b: regions of the second input.
    """

    values: np.ndarray
    standard_error: np.ndarray
    a: Regions
    b: Regions

    def __repr__(self) -> str:
        return f"Interactions({'x'.join(map(str, self.a.shape))} and {'x'.join(map(str, self.b.shape))} regions)"

    @property
    def cells(self) -> int:
        """Number of regions along the first dimension of a."""
        return self.a.shape[0]

    @classmethod
    def between(cls, a: Side, b: Side) -> Interactions:
        """Estimate the interactions of two masked inputs.

        Args:
            a: the input in rows.
            b: the input in columns.

        Raises:
            ArgumentError: an input has fewer than two blocks of masks, which are not all masks.
        """
        if any(side.n_blocks < 2 and not side.exact for side in (a, b)):
            raise ArgumentError("interactions need at least two blocks of masks per input; increase n_masks")
        (whole_a, without_a), (whole_b, without_b) = a.shifts(), b.shifts()
        values = whole_a @ whole_b.T
        variance = torch.zeros_like(values)
        if not a.exact:
            variance += _jackknife(without_a @ whole_b.T)
        if not b.exact:
            variance += _jackknife(whole_a @ without_b.mT)
        return cls(values.numpy(), variance.sqrt().numpy(), a.regions, b.regions)

    def answers(self, effect: np.ndarray, k: int = 3) -> list[dict[str, Any]]:
        """Find the region of b that answers most to each of the strongest regions of a.

        Args:
            effect: map on a that ranks its regions; neighbours of a chosen cell of a picture are skipped.
            k: number of regions.

        Returns:
            One row per region: ``cell`` and ``answer`` as (row, column), or as words; ``effect``, ``interaction``,
            ``standard_error``.
        """
        rows = []
        for number, mean in strongest(self.a, effect, k):
            best = int(np.argmax(self.values[number]))
            rows.append(
                {
                    "cell": self.a.index(number),
                    "effect": mean,
                    "answer": self.b.index(best),
                    "interaction": float(self.values[number, best]),
                    "standard_error": float(self.standard_error[number, best]),
                }
            )
        return rows

    def map_of(self, cell: tuple[int, int], errors: float = 0.0) -> np.ndarray:
        """Interactions of one cell of a with all regions of b, ``(rows, columns)``.

        Args:
            cell: (row, column) in a.
            errors: interactions smaller than this many standard errors become NaN.
        """
        row = int(np.ravel_multi_index(cell, self.a.shape))
        clear = np.where(np.abs(self.values[row]) < errors * self.standard_error[row], np.nan, self.values[row])
        return clear.reshape(self.b.shape)


def _jackknife(estimates: Tensor) -> Tensor:
    """Jackknife variance from leave-one-out estimates along the first dimension."""
    n = len(estimates)
    return (n - 1) / n * (estimates - estimates.mean(0)).square().sum(0)
