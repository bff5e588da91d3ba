"""Modalities: kinds of input. Code outside this package does not assume height, width or channels."""

from __future__ import annotations

from typing import Any

from relax._support.registry import Registry
from relax.errors import ArgumentError
from relax.modalities.base import Modality
from relax.modalities.batches import take
from relax.modalities.prepared import Prepared

MODALITIES: Registry[type[Modality]] = Registry(
    "modality",
    {
        "image": "relax.modalities.image.modality:Image",
        "text": "relax.modalities.text.modality:Text",
        "vector": "relax.modalities.vector.modality:Vector",
        "table": "relax.modalities.table.modality:Table",
        "series": "relax.modalities.series.modality:Series",
        "sound": "relax.modalities.sound.modality:Sound",
        "array": "relax.modalities.array.modality:Array",
        "views": "relax.multiview.modality:Views",
    },
    group="relax.modality",
)


def ensure(modality: Any, transform: Any = None, patch: int | None = None) -> Modality:
    """Resolve a modality from its name or class, or pass an instance through.

    Args:
        modality: name, class or instance.
        transform: preprocessing of the encoder.
        patch: side of the encoder's patches in pixels; ``None`` for an encoder without patches.

    Raises:
        UnknownNameError: there is no modality of this name.
        ArgumentError: ``modality`` is neither a name nor a modality.
    """
    if isinstance(modality, Modality):
        return modality
    kind = MODALITIES[modality] if isinstance(modality, str) else modality
    if not isinstance(kind, type) or not issubclass(kind, Modality):
        raise ArgumentError(f"expected `modality` to be a Modality or one of {', '.join(MODALITIES)}, got {modality!r}")
    return kind(transform, patch=patch)


__all__ = ["MODALITIES", "Modality", "Prepared", "ensure", "take"]
