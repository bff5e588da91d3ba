"""Arguments of an encoder that are not given: its modality, and the names of its views."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import nn

from relax.errors import ArgumentError

Key = str | int
"""Name or index of a view."""


def default_modality(model: Any, transform: Any) -> str:
    """``"array"`` for modules that convolve in one or three dimensions and not in two, ``"image"`` for all others."""
    if transform is not None or not isinstance(model, nn.Module):
        return "image"
    kinds = {type(module) for module in model.modules()}
    return "array" if kinds & {nn.Conv1d, nn.Conv3d} and nn.Conv2d not in kinds else "image"


def keys_of(views: Sequence[str] | int) -> tuple[Key, ...]:
    """Names of the views of a multi-view model: as given, or their numbers.

    Raises:
        ArgumentError: the names are not distinct, or there are none.
    """
    keys: tuple[Key, ...] = ()
    if not isinstance(views, bool):
        keys = tuple(range(views)) if isinstance(views, int) else tuple(views)
    if not keys or len(set(keys)) < len(keys):
        raise ArgumentError(f"expected `views` to be distinct names or a positive number, got {views!r}")
    return keys
