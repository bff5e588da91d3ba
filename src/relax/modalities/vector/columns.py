"""Masks that remove the columns of a vector: features of a table, bands of a spectrum."""

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
    """Consecutive columns of a vector, kept or removed together.

    Args:
        group: columns that make one unit; the last unit has what is left.
        keep: probability that a unit is kept, in (0, 1).
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
