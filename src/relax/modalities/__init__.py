"""Modalities: kinds of input. Nothing above this package knows that an input has height, width or channels."""

from __future__ import annotations

from typing import Any

from relax._support.registry import Registry
from relax.errors import ArgumentError
from relax.modalities.base import Modality, Scale
from relax.modalities.batches import take
from relax.modalities.prepared import Prepared

MODALITIES: Registry[type[Modality]] = Registry(
    "modality",
    {
        "image": "relax.modalities.image.modality:Image",
        "vector": "relax.modalities.vector.modality:Vector",
        "views": "relax.multiview.modality:Views",
    },
    group="relax.modality",
)


def ensure(modality: Any, transform: Any = None, patch: int | None = None) -> Modality:
    """A modality from its name, its class, or one that is ready.

    Args:
        modality: which.
        transform: the encoder's preprocessing.
        patch: side of the encoder's patches, where it has patches.
    """
    if isinstance(modality, Modality):
        return modality
    kind = MODALITIES[modality] if isinstance(modality, str) else modality
    if not isinstance(kind, type) or not issubclass(kind, Modality):
        raise ArgumentError(f"expected `modality` to be a Modality or one of {', '.join(MODALITIES)}, got {modality!r}")
    return kind(transform, patch=patch)


__all__ = ["MODALITIES", "Modality", "Prepared", "Scale", "ensure", "take"]
