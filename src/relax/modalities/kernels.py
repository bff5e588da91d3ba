"""Kernels: prior covariances of the effects of cells."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce

import torch
from torch import Tensor

from relax.modalities.units import along


@dataclass(frozen=True, eq=False)
class Kernel:
    """A prior covariance of the effects of the cells of a grid.

    Attributes:
        matrix: ``(P, P)`` float64, positive semidefinite.
        sides: matrices of which it is the Kronecker product, ``(cells, cells)`` for each dimension; ``()`` if it is
            none.
    """

    matrix: Tensor
    sides: tuple[Tensor, ...] = ()

    def after(self, masks: Tensor) -> Tensor:
        """``X K``.

        Args:
            masks: X, ``(N, P)`` float64.
        """
        if not self.sides:
            return masks @ self.matrix
        return along(masks.view(-1, *map(len, self.sides)), self.sides).flatten(1)


def separable(sides: Sequence[Tensor]) -> Kernel:
    """The Kronecker product of symmetric matrices, one for each dimension of a grid."""
    return Kernel(reduce(torch.kron, sides), tuple(sides))


def gaussian(positions: Tensor, length: float) -> Tensor:
    """Gaussian kernel ``exp(−|p − q|² / 2ℓ²)``, ``(P, P)`` float64.

    Args:
        positions: ``(P, d)`` float64.
        length: length scale ℓ, positive.
    """
    scaled = positions / length
    halves = 0.5 * scaled.square().sum(1)
    products = scaled @ scaled.T  # −|p − q|² / 2 = pq − p² / 2 − q² / 2
    return products.sub_(halves[:, None]).sub_(halves).clamp_max_(0).exp_()


def positions_of(grid: tuple[int, ...]) -> Tensor:
    """Index of each cell along each dimension, ``(P, d)`` float64."""
    axes = [torch.arange(cells, dtype=torch.float64) for cells in grid]
    return torch.stack([axis.flatten() for axis in torch.meshgrid(*axes, indexing="ij")], 1)
