"""Batches of encoder inputs: one tensor, several named tensors, or a list of other objects."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

import torch
from torch import Tensor

Batch = Tensor | Mapping[Any, Tensor] | Sequence[Any]
"""``(N, ...)``, a mapping of such tensors, or a sequence of N objects, such as strings."""

T = TypeVar("T")


def n_rows(batch: Batch) -> int:
    """Number of inputs in a batch."""
    return len(next(iter(batch.values()))) if isinstance(batch, Mapping) else len(batch)


def take(batch: Batch, rows: slice) -> Batch:
    """Slice a batch along its batch dimension."""
    if isinstance(batch, Mapping):
        return {name: tensor[rows] for name, tensor in batch.items()}
    return batch[rows]


def shapes(batch: Batch) -> tuple[Any, ...]:
    """Hashable shapes of a single input, the key of a measured batch size."""
    if isinstance(batch, Tensor):
        return tuple(batch.shape[1:])
    if isinstance(batch, Mapping):
        return tuple((str(name), *tensor.shape[1:]) for name, tensor in batch.items())
    return (type(batch[0]).__name__,)


def to_device(values: T, device: torch.device, dtype: torch.dtype) -> T:
    """Move tensors to a device.

    Args:
        values: a tensor, or a (nested) mapping; anything else is returned unchanged.
        device: target device.
        dtype: target type of floating-point tensors; other tensors keep theirs.
    """
    if isinstance(values, Tensor):
        return values.to(device, dtype if values.is_floating_point() else values.dtype)  # type: ignore[return-value]
    if isinstance(values, Mapping):
        return {name: to_device(value, device, dtype) for name, value in values.items()}  # type: ignore[return-value]
    return values


def copied(batch: Batch) -> Batch:
    """Copy a batch, for encoders that work in place; the items of a list are not copied."""
    if isinstance(batch, Tensor):
        return batch.clone()
    if isinstance(batch, Mapping):
        return {name: tensor.clone() for name, tensor in batch.items()}
    return list(batch)


def first_tensor(batch: Batch) -> Tensor | None:
    """First tensor of a batch, with respect to which to differentiate; ``None`` for a list."""
    if isinstance(batch, Tensor):
        return batch
    return next(iter(batch.values())) if isinstance(batch, Mapping) else None
