"""Masks on several grids at once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from relax.errors import ArgumentError
from relax.modalities.image.grid import GridMasks
from relax.modalities.image.separable import SeparableUnits
from relax.modalities.prepared import Prepared
from relax.modalities.units import Block, Masks, Units


class MultiScaleUnits(Units):
    """Units of several grids; a mask is the mean of one mask of each grid.

    Args:
        grids: units of the grids, for the same input.
    """

    def __init__(self, grids: list[SeparableUnits]) -> None:
        self.grids = grids
        self.shape = grids[0].shape
        self.n_units = sum(grid.n_units for grid in grids)
        self.placements = tuple(n for grid in grids for n in grid.placements)

    def masks(self, block: Block) -> Tensor:
        return torch.stack([grid.masks(part) for grid, part in self._parts(block)]).mean(0)

    def averages(self, block: Block, means: Sequence[Tensor]) -> Tensor:
        return torch.stack([grid.averages(part, means) for grid, part in self._parts(block)]).mean(0)

    def pull_back(self, weights: Tensor, block: Block) -> Tensor:
        return torch.stack([grid.pull_back(weights, part) for grid, part in self._parts(block)]).mean(0)

    def _parts(self, block: Block) -> Iterator[tuple[SeparableUnits, Block]]:
        sizes = [grid.n_units for grid in self.grids]
        n_axes = [len(grid.placements) for grid in self.grids]
        bits, placements = torch.split(block.bits, sizes, 1), torch.split(block.placements, n_axes, 1)
        for grid, grid_bits, grid_placements in zip(self.grids, bits, placements, strict=True):
            yield grid, Block(grid_bits, grid_placements)


@dataclass(frozen=True)
class MultiScaleMasks(Masks):
    """Grids of several cell sizes in one design; a mask is the mean of one mask of each grid.

    Args:
        cells: number of cells along each side, for at least two grids.
        keep: probability of keeping a cell, in (0, 1).

    Raises:
        ArgumentError: an argument is out of range.
    """

    cells: tuple[int, ...] = (7, 14)
    keep: float = 0.5

    modalities = ("image",)

    def __post_init__(self) -> None:
        if len(self.cells) < 2:
            raise ArgumentError(f"expected `cells` of at least two grids, got {self.cells!r}; use GridMasks for one")
        for cells in self.cells:
            GridMasks(cells, self.keep)  # validates them

    def over(self, prepared: Prepared | Tensor) -> MultiScaleUnits:
        return MultiScaleUnits([GridMasks(cells, self.keep).over(prepared) for cells in self.cells])

    def settings(self) -> dict[str, Any]:
        return {"name": "multiscale", "cells": list(self.cells), "keep": self.keep}
