"""Masks on the columns of a vector."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from relax.errors import ArgumentError
from relax.modalities.prepared import Prepared, tensor_of
from relax.modalities.units import LabelUnits, Masks, check_keep


@dataclass(frozen=True)
class ColumnMasks(Masks):
    """Columns of a vector, or groups of consecutive columns.

    Args:
        group: number of columns per unit; the last unit may be smaller.
        keep: probability of keeping a unit, in (0, 1).

    Raises:
        ArgumentError: an argument is out of range.
    """

    group: int = 1
    keep: float = 0.5

    modalities = ("vector",)

    def __post_init__(self) -> None:
        if isinstance(self.group, bool) or not isinstance(self.group, int) or self.group < 1:
            raise ArgumentError(f"expected `group` to be a positive integer, got {self.group!r}")
        check_keep(self.keep)

    def over(self, prepared: Prepared | Tensor) -> LabelUnits:
        tensor = tensor_of(prepared)
        if tensor.ndim != 1:
            raise ArgumentError(f"column masks need a vector, got an input of shape {tuple(tensor.shape)}")
        return LabelUnits(torch.arange(len(tensor), device=tensor.device) // self.group)

    def settings(self) -> dict[str, Any]:
        return {"name": "columns", "group": self.group, "keep": self.keep}
