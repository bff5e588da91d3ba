"""The vector modality."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from relax.errors import InputError
from relax.modalities.base import Modality
from relax.modalities.image.grid import GridMasks
from relax.modalities.prepared import Prepared
from relax.modalities.shown import Shown
from relax.modalities.units import Masks
from relax.modalities.vector.columns import ColumnMasks

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class Vector(Modality):
    """Vectors ``(D,)``, such as features of a table or bands of a spectrum: tensors, arrays or lists of numbers.

    Columns are the units. The ``"mean"`` fill is zero, so standardise the columns to mean 0.
    """

    name = "vector"
    method = "relax-regression"
    default_masks = "columns"

    def prepare(self, source: Any) -> Prepared:
        if isinstance(source, Prepared):
            return source
        try:
            tensor = torch.as_tensor(source if self.transform is None else self.transform(source)).detach()
        except (TypeError, ValueError, RuntimeError) as error:
            raise InputError(f"expected a vector of numbers, got {type(source).__name__}") from error
        if tensor.ndim != 1 or not len(tensor):
            raise InputError(f"expected a vector of shape (D,), got {tuple(tensor.shape)}")
        tensor = tensor.float()
        if not torch.isfinite(tensor).all():
            raise InputError("the vector has NaN or infinite values")
        return Prepared({"vector": tensor}, source={"source": "tensor"})

    def split(self, inputs: Any) -> list[Any] | None:
        """Split an ``(N, D)`` tensor or array, or a list of vectors; ``None`` for a vector or a list of numbers."""
        if isinstance(inputs, (Tensor, np.ndarray)):
            return list(inputs) if inputs.ndim == 2 else None
        if isinstance(inputs, (list, tuple)) and inputs and np.ndim(inputs[0]) == 0:
            return None
        return super().split(inputs)

    def masks(self, recipe: Any) -> Masks:
        """Resolve masks; grids become columns with the same keep probability."""
        masks = super().masks(recipe)
        return ColumnMasks(keep=masks.keep) if isinstance(masks, GridMasks) else masks

    @staticmethod
    def show(explanation: Shown) -> Figure:
        from relax.modalities.vector.showing import plot_vector

        return plot_vector(explanation)
