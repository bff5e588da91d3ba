"""Masks: the units of an input that can be removed.

A :class:`Masks` is a recipe (cells, keep probability) that knows no input. Laid over one input it becomes
:class:`Units`, which turn bits into masks and sums over bits back into a map.
"""

from __future__ import annotations

from typing import Any

from relax.errors import ArgumentError
from relax.masks.base import Block, Masks, Units
from relax.masks.columns import ColumnMasks
from relax.masks.grid import GridMasks
from relax.masks.multiscale import MultiScaleMasks
from relax.masks.patches import PatchMasks
from relax.masks.separable import SeparableUnits
from relax.masks.superpixels import SuperpixelMasks
from relax.registry import Registry

MASKS: Registry[type[Masks]] = Registry("kind of masks")
MASKS.add("grid", GridMasks)
MASKS.add("patches", PatchMasks)
MASKS.add("superpixels", SuperpixelMasks)
MASKS.add("multiscale", MultiScaleMasks)
MASKS.add("columns", ColumnMasks)


def create(name: str, **options: Any) -> Masks:
    """Masks by name, with their options: ``create("grid", cells=14)``."""
    kind = MASKS[name]
    if isinstance(options.get("cells"), list):
        options["cells"] = tuple(options["cells"])
    try:
        return kind(**options)
    except TypeError as error:
        raise ArgumentError(f"masks {name!r} do not take these options: {error}") from error


def ensure(masks: Masks | str, patch: int | None = None) -> Masks:
    """Masks from a name or from masks; ``"patches"`` are those of an encoder with patches of that side."""
    if isinstance(masks, Masks):
        return masks
    if masks == "patches":
        if patch is None:
            raise ArgumentError("the encoder has no known patch size; give masks=relax.PatchMasks(patch=...)")
        return PatchMasks(patch=patch)
    if isinstance(masks, str):
        return create(masks)
    raise ArgumentError(f"expected `masks` to be Masks or one of {', '.join(MASKS)}, got {type(masks).__name__}")


__all__ = [
    "MASKS",
    "Block",
    "ColumnMasks",
    "GridMasks",
    "Masks",
    "MultiScaleMasks",
    "PatchMasks",
    "SeparableUnits",
    "SuperpixelMasks",
    "Units",
    "create",
    "ensure",
]
