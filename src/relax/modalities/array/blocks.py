"""Masks on blocks of an array with any number of dimensions."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from relax.errors import ArgumentError
from relax.modalities.prepared import Prepared, tensor_of
from relax.modalities.units import LabelUnits, Masks, check_keep


@dataclass(frozen=True)
class BlockMasks(Masks):
    """Fixed, hard-edged blocks on a regular grid over all dimensions except channels.

    Args:
        cells: number of cells along each dimension, or one number per dimension, at most one cell per element.
            ``None`` for about 64 blocks in total.
        keep: probability of keeping a block, in (0, 1).

    Raises:
        ArgumentError: an argument is out of range.
    """

    cells: int | tuple[int, ...] | None = None
    keep: float = 0.5

    modalities = ("array",)

    def __post_init__(self) -> None:
        if isinstance(self.cells, list):
            object.__setattr__(self, "cells", tuple(self.cells))
        sides = self.cells if isinstance(self.cells, tuple) else (self.cells,)
        for side in sides:
            if side is not None and (isinstance(side, bool) or not isinstance(side, int) or side < 1):
                raise ArgumentError(f"expected `cells` to be a positive integer or a tuple of them, got {self.cells!r}")
        check_keep(self.keep)

    def over(self, prepared: Prepared | Tensor) -> LabelUnits:
        tensor = tensor_of(prepared)
        shape = tuple(tensor.shape[1:])
        labels = torch.zeros(shape, dtype=torch.long, device=tensor.device)
        for dim, (size, cells) in enumerate(zip(shape, self._cells(shape), strict=True)):
            cell_of_element = torch.arange(size, device=tensor.device) * cells // size
            labels = labels * cells + cell_of_element.view(-1, *(1,) * (len(shape) - dim - 1))
        return LabelUnits(labels)

    def _cells(self, shape: tuple[int, ...]) -> list[int]:
        """Number of cells along each dimension of an array of this shape."""
        if isinstance(self.cells, tuple):
            if len(self.cells) != len(shape):
                raise ArgumentError(
                    f"expected one number of cells for each of {len(shape)} dimensions, got {self.cells!r}"
                )
            requested = self.cells
        else:
            side = self.cells if self.cells is not None else round(math.pow(64, 1 / len(shape)))
            requested = (side,) * len(shape)
        return [min(cells, size) for cells, size in zip(requested, shape, strict=True)]

    def settings(self) -> dict[str, Any]:
        cells = list(self.cells) if isinstance(self.cells, tuple) else self.cells
        return {"name": "blocks", "cells": cells, "keep": self.keep}
