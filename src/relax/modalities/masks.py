"""Kinds of masks by name."""

from __future__ import annotations

import inspect
from typing import Any

from relax._support.registry import Registry
from relax.errors import ArgumentError
from relax.modalities.image.grid import GridMasks
from relax.modalities.image.multiscale import MultiScaleMasks
from relax.modalities.image.patches import PatchMasks
from relax.modalities.image.superpixels import SuperpixelMasks
from relax.modalities.units import Block, LabelUnits, Masks, Units
from relax.modalities.vector.columns import ColumnMasks

MASKS: Registry[type[Masks]] = Registry(
    "kind of masks",
    {
        "grid": "relax.modalities.image.grid:GridMasks",
        "patches": "relax.modalities.image.patches:PatchMasks",
        "superpixels": "relax.modalities.image.superpixels:SuperpixelMasks",
        "multiscale": "relax.modalities.image.multiscale:MultiScaleMasks",
        "columns": "relax.modalities.vector.columns:ColumnMasks",
        "blocks": "relax.modalities.array.blocks:BlockMasks",
        "tokens": "relax.modalities.text.masks:TokenMasks",
        "words": "relax.modalities.text.masks:WordMasks",
        "sentences": "relax.modalities.text.masks:SentenceMasks",
        "paragraphs": "relax.modalities.text.masks:ParagraphMasks",
        "pattern": "relax.modalities.text.masks:PatternMasks",
        "features": "relax.modalities.table.masks:FeatureMasks",
        "segments": "relax.modalities.series.masks:SegmentMasks",
        "channels": "relax.modalities.series.masks:ChannelMasks",
        "bands": "relax.modalities.series.masks:BandMasks",
        "frequency-bands": "relax.modalities.sound.masks:FrequencyBandMasks",
        "time-frequency": "relax.modalities.sound.masks:TimeFrequencyMasks",
        "views": "relax.multiview.masks:ViewMasks",
    },
    group="relax.masks",
)


def create(name: str, **options: Any) -> Masks:
    """Create masks by name, with their options: ``create("grid", cells=14)``.

    Raises:
        UnknownNameError: there is no kind of masks of this name.
        ArgumentError: the masks do not take these options.
    """
    kind = MASKS[name]
    if isinstance(options.get("cells"), list):
        options["cells"] = tuple(options["cells"])
    known = inspect.signature(kind).parameters
    unknown = [option for option in options if option not in known]
    if unknown:
        has = f"they have: {', '.join(known)}" if known else "they have none"
        raise ArgumentError(f"masks {name!r} do not take these options: {', '.join(unknown)}; {has}")
    try:
        return kind(**options)
    except TypeError as error:
        raise ArgumentError(f"masks {name!r} do not take these options: {error}") from error


def ensure(masks: Masks | str, patch: int | None = None) -> Masks:
    """Resolve masks from a name, or pass Masks through.

    Args:
        masks: a name or Masks.
        patch: side of the encoder's patches in pixels, for ``"patches"``.

    Raises:
        UnknownNameError: there is no kind of masks of this name.
        ArgumentError: ``masks`` is neither a name nor Masks, or the patch size is required but unknown.
    """
    if isinstance(masks, Masks):
        return masks
    if masks == "patches":
        return create("patches", patch=patch_size(patch))
    if isinstance(masks, str):
        return create(masks)
    raise ArgumentError(f"expected `masks` to be Masks or one of {', '.join(MASKS)}, got {type(masks).__name__}")


def patch_size(patch: int | None) -> int:
    """Return the side of an encoder's patches in pixels.

    Raises:
        ArgumentError: the encoder has no known patch size.
    """
    if patch is None:
        raise ArgumentError("the encoder has no known patch size; use masks=relax.PatchMasks(patch=...)")
    return patch


__all__ = [
    "MASKS",
    "Block",
    "ColumnMasks",
    "GridMasks",
    "LabelUnits",
    "Masks",
    "MultiScaleMasks",
    "PatchMasks",
    "SuperpixelMasks",
    "Units",
    "create",
    "ensure",
    "patch_size",
]
