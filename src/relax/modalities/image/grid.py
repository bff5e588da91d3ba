"""Masks on a rectangular grid of cells, with the geometry of RISE or of the authors' package."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from relax.errors import ArgumentError
from relax.modalities.image.separable import SeparableUnits
from relax.modalities.prepared import Prepared, tensor_of
from relax.modalities.units import Masks, check_keep

OFFSETS = ("cell", "relax-xai", "none")


@dataclass(frozen=True)
class GridMasks(Masks):
    """Random grids of kept and removed cells, upsampled bilinearly (RISE, Petsiuk et al., BMVC 2018).

    Args:
        cells: number of cells along each side, or ``(rows, columns)``.
        keep: probability of keeping a cell, in (0, 1).
        offsets: how to offset the grid.

            * ``"cell"`` (RISE): upsamples ``cells`` bits to ``(cells + 1) * ceil(size / cells)`` pixels, and crops at
              an offset from 0 to the cell size minus one pixel. Works for any image size.
            * ``"relax-xai"`` (the authors' package, relax-xai 0.0.5): upsamples bits to the image, pads by reflection,
              and shifts by 0 to ``cells - 1`` *pixels*.
            * ``"none"``: upsamples bits to the image, without offset.

    Raises:
        ArgumentError: an argument is out of range.

    Example:
        >>> import torch, relax
        >>> units = relax.GridMasks(cells=7).over(torch.zeros(3, 224, 224))
        >>> units.n_units, units.placements, units.shape
        (49, (32, 32), (224, 224))
    """

    cells: int | tuple[int, int] = 7
    keep: float = 0.5
    offsets: str = "cell"

    modalities = ("image", "vector")

    def __post_init__(self) -> None:
        pair = isinstance(self.cells, (tuple, list))
        sides = tuple(self.cells) if pair else (self.cells, self.cells)  # type: ignore[arg-type]
        if len(sides) != 2 or not all(type(side) is int and side >= 1 for side in sides):
            raise ArgumentError(f"expected `cells` to be a positive integer or (rows, columns), got {self.cells!r}")
        check_keep(self.keep)
        if self.offsets not in OFFSETS:
            raise ArgumentError(f"expected `offsets` to be one of {', '.join(OFFSETS)}, got {self.offsets!r}")
        if self.offsets == "relax-xai" and sides[0] != sides[1]:
            raise ArgumentError(f"offsets='relax-xai' needs a square grid, got cells={self.cells!r}")

    def over(self, prepared: Prepared | Tensor) -> SeparableUnits:
        rows, columns = (self.cells, self.cells) if isinstance(self.cells, int) else self.cells
        tensor = tensor_of(prepared)
        height, width = tensor.shape[-2:]
        for cells, size in ((rows, height), (columns, width)):
            if cells > size:
                raise ArgumentError(
                    f"a grid of {cells} cells does not fit in {size} pixels of a tensor (C, H, W) of shape "
                    f"{tuple(tensor.shape)}; use fewer, such as masks=relax.GridMasks({size})"
                )
        axes = [_axis(cells, size, self.offsets) for cells, size in ((rows, height), (columns, width))]
        return SeparableUnits(*(axis.to(tensor.device) for axis in axes))

    def settings(self) -> dict[str, Any]:
        cells = self.cells if isinstance(self.cells, int) else list(self.cells)
        return {"name": "grid", "cells": cells, "keep": self.keep, "offsets": self.offsets}


@lru_cache(maxsize=16)
def _axis(cells: int, size: int, offsets: str) -> Tensor:
    """Interpolation weights along one axis, ``(placements, size, cells)``; shared by all inputs of a size."""
    if offsets == "none":
        return _upsampling(cells, size)[None]
    if offsets == "cell":
        cell = math.ceil(size / cells)
        weights, n_offsets = _upsampling(cells, (cells + 1) * cell), cell
    else:
        pad = cells // 2
        if pad >= size:
            raise ArgumentError(f"offsets='relax-xai' with {cells} cells needs more than {pad} pixels, got {size}")
        weights = F.pad(_upsampling(cells, size).T[None], (pad, pad), mode="reflect")[0].T
        n_offsets = cells
    return torch.stack([weights[offset : offset + size] for offset in range(n_offsets)])


def _upsampling(cells: int, size: int) -> Tensor:
    """Matrix of bilinear upsampling along one axis, ``(size, cells)``."""
    basis = torch.eye(cells, dtype=torch.float32)[None]
    return F.interpolate(basis, size=size, mode="linear", align_corners=False)[0].T
