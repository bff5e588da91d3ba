"""The array modality: signals ``(C, T)``, volumes ``(C, D, H, W)``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from relax.errors import InputError
from relax.modalities.base import Modality
from relax.modalities.prepared import Prepared
from relax.modalities.shown import Shown

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class Array(Modality):
    """Model-ready arrays ``(C, *shape)``: channels first, then at least one dimension. Blocks are the units.

    A tensor is always a single input; pass several inputs as a list.
    """

    name = "array"
    method = "relax-regression"
    default_masks = "blocks"

    def prepare(self, source: Any) -> Prepared:
        if isinstance(source, Prepared):
            return source
        try:
            tensor = torch.as_tensor(source if self.transform is None else self.transform(source)).detach()
        except (TypeError, ValueError, RuntimeError) as error:
            raise InputError(f"expected an array of numbers, got {type(source).__name__}") from error
        if tensor.ndim < 2 or 0 in tensor.shape:
            raise InputError(f"expected an array of shape (C, *shape), such as (C, T), got {tuple(tensor.shape)}")
        tensor = tensor.float()
        if not torch.isfinite(tensor).all():
            raise InputError("the array has NaN or infinite values")
        return Prepared({"array": tensor}, source={"source": "array"})

    def to_map(self, attribution: Tensor) -> Tensor:
        """Sum an attribution ``(C, *shape)`` over channels."""
        return attribution.sum(0)

    @staticmethod
    def show(explanation: Shown) -> Figure:
        from relax.modalities.array.showing import plot_array

        return plot_array(explanation)
