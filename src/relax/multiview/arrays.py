"""Views as tensors, checked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from relax.encoders import Key
from relax.errors import InputError


def tensors_of(views: Any) -> dict[Key, Tensor]:
    """Views by key, float32, of one length, finite."""
    if isinstance(views, Mapping):
        items = dict(views.items())
        if strange := [key for key in items if not isinstance(key, str) and key not in range(len(items))]:
            raise InputError(f"expected strings as the views' names, got {strange[0]!r}")
    elif isinstance(views, Sequence) and not isinstance(views, str):
        items = dict(enumerate(views))
    else:
        items = {0: views}
    if not items:
        raise InputError("expected at least one view, got none")
    tensors: dict[Key, Tensor] = {}
    for key, view in items.items():
        try:
            array = np.asarray(view.detach().cpu() if isinstance(view, Tensor) else view)
            tensor = torch.as_tensor(array, dtype=torch.float32)
            if array.dtype == np.uint8 and tensor.ndim == 4:
                tensor = tensor / 255
        except (TypeError, ValueError) as error:
            raise InputError(f"view {key!r}: expected an array of numbers, got {type(view).__name__}") from error
        if tensor.ndim not in (2, 4) or 0 in tensor.shape:
            got = tuple(tensor.shape)
            raise InputError(f"view {key!r}: expected shape (N, D), or (N, C, H, W) for pictures, got {got}")
        if not torch.isfinite(tensor).all():
            raise InputError(f"view {key!r}: has NaN or infinite values")
        tensors[key] = tensor
    lengths = {key: len(tensor) for key, tensor in tensors.items()}
    if len(set(lengths.values())) > 1:
        counts = ", ".join(f"{key}: {n}" for key, n in lengths.items())
        raise InputError(f"expected views of the same objects, got different numbers of them ({counts})")
    return tensors
