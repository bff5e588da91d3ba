"""Masks on the patches of a vision transformer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from relax.errors import ArgumentError
from relax.modalities.image.separable import SeparableUnits
from relax.modalities.prepared import Prepared, tensor_of
from relax.modalities.units import Masks, check_keep


@dataclass(frozen=True)
class PatchMasks(Masks):
    """Fixed, hard-edged square patches, so that every token is either kept or removed as a whole.

    Args:
        patch: side of a patch in pixels, as in the encoder (16 for a ViT-B/16).
        keep: probability of keeping a patch, in (0, 1).
        group: patches per side of a unit; 2 removes four tokens together.

    Raises:
        ArgumentError: an argument is out of range.
    """

    patch: int = 16
    keep: float = 0.5
    group: int = 1

    modalities = ("image",)

    def __post_init__(self) -> None:
        for name in ("patch", "group"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                raise ArgumentError(f"expected `{name}` to be a positive integer, got {value!r}")
        check_keep(self.keep)

    def over(self, prepared: Prepared | Tensor) -> SeparableUnits:
        tensor = tensor_of(prepared)
        height, width = tensor.shape[-2:]
        if height % self.patch or width % self.patch:
            raise ArgumentError(
                f"patches of {self.patch} pixels do not tile an input of {height}x{width}; "
                "use the encoder's own patch size, or GridMasks"
            )
        axes = [self._axis(size) for size in (height, width)]
        return SeparableUnits(*(axis.to(tensor.device) for axis in axes))

    def _axis(self, size: int) -> Tensor:
        unit_of_pixel = torch.arange(size) // (self.patch * self.group)
        return torch.nn.functional.one_hot(unit_of_pixel).float()[None]

    def settings(self) -> dict[str, Any]:
        return {"name": "patches", "patch": self.patch, "keep": self.keep, "group": self.group}
