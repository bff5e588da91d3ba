"""Separable units, whose masks interpolate a grid of bits along rows and columns: ``M = Ay g Axᵀ``."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from relax.modalities.units import Block, Units


class SeparableUnits(Units):
    """A grid of bits ``g``, interpolated over an image by one matrix per axis and placement.

    The adjoint needs no masks: it sums scores per bit (and per placement, where placements differ), and interpolates
    the sums once, ``sum_n s_n M_n = Ay (sum_n s_n g_n) Axᵀ``.

    Args:
        rows: ``(Ky, H, cells_y)``: for each vertical placement, the weight of each grid row in each pixel row.
        columns: ``(Kx, W, cells_x)``: the same for columns. Weights are in [0, 1] and sum to one over cells.
    """

    def __init__(self, rows: Tensor, columns: Tensor) -> None:
        self._rows, self._columns = rows.float(), columns.float()
        self.shape = (rows.shape[1], columns.shape[1])
        self.grid = (rows.shape[2], columns.shape[2])
        self.n_units = self.grid[0] * self.grid[1]
        self.placements = (rows.shape[0], columns.shape[0])

    def masks(self, block: Block) -> Tensor:
        grid = block.bits.view(-1, *self.grid)
        y, x = block.placements.T
        return self._rows[y] @ grid @ self._columns[x].transpose(1, 2)

    def averages(self, block: Block, means: Sequence[Tensor]) -> Tensor:
        """Means of each mask over cells, ``(P Ay) g (Q Ax)ᵀ``, without materialising the masks."""
        exact = torch.float32 if block.bits.device.type == "mps" else torch.float64
        grid = block.bits.to(exact).view(-1, *self.grid)
        y, x = block.placements.T
        over_rows, over_columns = (mean.to(grid) for mean in means)
        return (
            (over_rows @ self._rows[y].to(exact)) @ grid @ (over_columns @ self._columns[x].to(exact)).transpose(1, 2)
        )

    def pull_back(self, weights: Tensor, block: Block) -> Tensor:
        bits = block.bits.double()
        y, x = block.placements.T
        if block.placements.shape[0] == 1:
            sums = (weights @ bits).view(-1, *self.grid)
            return self._rows[y[0]].double() @ sums @ self._columns[x[0]].double().T
        # sum scores per placement and bit, then interpolate the sums of all placements in one product
        (n_y, n_x), (cells_y, cells_x) = self.placements, self.grid
        table = weights.new_zeros(weights.shape[0], n_y * n_x, self.n_units)
        table.index_add_(1, y * n_x + x, weights[:, :, None] * bits)
        table = table.view(-1, n_y, n_x, cells_y, cells_x).transpose(2, 3).reshape(-1, n_y * cells_y, n_x * cells_x)
        rows = self._rows.double().transpose(0, 1).reshape(self.shape[0], -1)
        columns = self._columns.double().transpose(0, 1).reshape(self.shape[1], -1)
        return torch.matmul(torch.matmul(rows, table), columns.T)
