"""A batch of what an encoder is called with: one tensor, several named ones, or a list of anything."""

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
    """Some of the inputs of a batch."""
    if isinstance(batch, Mapping):
        return {name: tensor[rows] for name, tensor in batch.items()}
    return batch[rows]


def shapes(batch: Batch) -> tuple[Any, ...]:
    """Shapes of one input, hashable; what a batch size is remembered by."""
    if isinstance(batch, Tensor):
        return tuple(batch.shape[1:])
    if isinstance(batch, Mapping):
        return tuple((str(name), *tensor.shape[1:]) for name, tensor in batch.items())
    return (type(batch[0]).__name__,)


def to_device(values: T, device: torch.device, dtype: torch.dtype) -> T:
    """Tensors on a device, floating-point ones in ``dtype``; what is no tensor stays as it is."""
    if isinstance(values, Tensor):
        return values.to(device, dtype if values.is_floating_point() else values.dtype)  # type: ignore[return-value]
    if isinstance(values, Mapping):
        return {name: to_device(value, device, dtype) for name, value in values.items()}  # type: ignore[return-value]
    return values


def copied(batch: Batch) -> Batch:
    """A copy that shares no memory, for an encoder that works in place."""
    if isinstance(batch, Tensor):
        return batch.clone()
    if isinstance(batch, Mapping):
        return {name: tensor.clone() for name, tensor in batch.items()}
    return list(batch)


def first_tensor(batch: Batch) -> Tensor | None:
    """The tensor whose gradient would be taken; ``None`` for a list."""
    if isinstance(batch, Tensor):
        return batch
    return next(iter(batch.values())) if isinstance(batch, Mapping) else None
