"""Masks and fills of objects that have several views: one recipe and one fill a view, laid end to end."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from relax.encoders import Key
from relax.errors import ArgumentError
from relax.modalities.base import Modality
from relax.modalities.batches import Batch
from relax.modalities.fills import Fill
from relax.modalities.image.modality import Image
from relax.modalities.prepared import Prepared
from relax.modalities.units import Block, Masks, Units
from relax.modalities.vector.modality import Vector


@dataclass(frozen=True, eq=False)
class PreparedViews(Prepared):
    """One object of several views.

    Attributes:
        parts: each view, prepared by a modality of its own.
        masked: the views whose parts are removed; the others are shown whole.
    """

    parts: Mapping[Key, Prepared] = field(default_factory=dict)
    masked: tuple[Key, ...] = ()

    @classmethod
    def of(cls, parts: Mapping[Key, Prepared], masked: tuple[Key, ...] | None = None) -> PreparedViews:
        """From views that are one tensor each; all of them are masked unless some are named."""
        sources = {str(key): part.source for key, part in parts.items()}
        inputs = {key: part.tensor for key, part in parts.items()}
        source = {"source": "views", "views": sources}
        return cls(inputs, source=source, parts=parts, masked=tuple(parts) if masked is None else masked)

    def only(self, masked: tuple[Key, ...]) -> PreparedViews:
        """The same object with only some of its views masked."""
        return self.of(self.parts, masked)

    def to(self, device: torch.device) -> PreparedViews:
        return self.of({key: part.to(device) for key, part in self.parts.items()}, self.masked)


def views_of(prepared: Prepared | Tensor) -> PreparedViews:
    """The object, or an error if it is something else."""
    if not isinstance(prepared, PreparedViews):
        raise ArgumentError("masks and fills of views need an object of several views")
    return prepared


def modality_of(part: Prepared, transform: Any = None, patch: int | None = None) -> Modality:
    """The modality of one view: vectors have one dimension, everything else is a picture."""
    return Vector() if part.tensor.ndim == 1 else Image(transform, patch=patch)


def setting_of(setting: Any, key: Key, what: str) -> Any:
    """A setting of one view, where each has its own or all share one.

    Raises:
        ArgumentError: there is none for this view.
    """
    if not isinstance(setting, Mapping):
        return setting
    if key not in setting:
        raise ArgumentError(f"expected `{what}` to have an entry for every view, got none for {key!r}")
    return setting[key]


class ViewUnits(Units):
    """The units of some views laid end to end; the others are always shown. A map is flat.

    Args:
        units: of the views whose parts are removed, in the order of the views.
    """

    def __init__(self, units: Mapping[Key, Units]) -> None:
        self.units = dict(units)
        self.n_units = sum(part.n_units for part in units.values())
        self.placements = tuple(n for part in units.values() for n in part.placements)
        self.sizes = {key: math.prod(part.shape) for key, part in units.items()}
        self.shape = (sum(self.sizes.values()),)

    def masks(self, block: Block) -> Tensor:
        parts = self.blocks(block)
        return torch.cat([self.units[key].masks(part).flatten(1) for key, part in parts.items()], dim=1)

    def pull_back(self, weights: Tensor, block: Block) -> Tensor:
        parts = self.blocks(block)
        return torch.cat([self.units[key].pull_back(weights, part).flatten(1) for key, part in parts.items()], dim=1)

    def maps(self, flat: Any) -> dict[Key, Any]:
        """``(P,)`` values to a map for each view whose parts are removed."""
        found, start = {}, 0
        for key, size in self.sizes.items():
            found[key] = flat[start : start + size].reshape(self.units[key].shape)
            start += size
        return found

    def blocks(self, block: Block) -> dict[Key, Block]:
        """The part of a block that belongs to each view."""
        found, bit, place = {}, 0, 0
        for key, part in self.units.items():
            bits = block.bits[:, bit : bit + part.n_units]
            found[key] = Block(bits, block.placements[:, place : place + len(part.placements)])
            bit, place = bit + part.n_units, place + len(part.placements)
        return found


class ViewMasks(Masks):
    """A recipe for each view.

    Args:
        recipes: Masks or their name: one for all views, or a mapping. For vectors a grid means columns.
        patch: side of the encoder's patches, where it has patches.

    Raises:
        ArgumentError: the recipes have different keep probabilities.
    """

    def __init__(self, recipes: Any = None, patch: int | None = None) -> None:
        self.recipes, self.patch = recipes, patch
        every = recipes.values() if isinstance(recipes, Mapping) else (recipes,)
        keeps = {recipe.keep if isinstance(recipe, Masks) else 0.5 for recipe in every}
        if len(keeps) > 1:
            raise ArgumentError(f"expected one keep probability for all views, got {sorted(keeps)}")
        self.keep = next(iter(keeps), 0.5)

    def over(self, prepared: Prepared | Tensor) -> ViewUnits:
        views = views_of(prepared)
        return ViewUnits(
            {key: self.recipe(key, part).over(part) for key, part in views.parts.items() if key in views.masked}
        )

    def recipe(self, key: Key, part: Prepared) -> Masks:
        """The masks of one view."""
        try:
            return modality_of(part, patch=self.patch).masks(setting_of(self.recipes, key, "masks"))
        except ArgumentError as error:
            raise type(error)(f"view {key!r}: {error}") from error

    def settings(self) -> dict[str, Any]:
        return {"name": "views", "recipes": _described(self.recipes), "patch": self.patch}


class ViewFill(Fill):
    """A fill for each view.

    Args:
        fills: Fills, their names or what else makes one: one for all views, or a mapping of views to them.
    """

    def __init__(self, fills: Any = None) -> None:
        self.fills = fills

    def bind(self, prepared: Prepared, by: Any = None, seed: int = 0) -> BoundViews:
        parts = views_of(prepared).parts
        kinds = {key: by.of(key, part) if hasattr(by, "of") else modality_of(part) for key, part in parts.items()}
        fills = {key: self._fill(key, kind) for key, kind in kinds.items()}  # refused before any of them is made ready
        return BoundViews(self, {key: fills[key].bind(part, kinds[key], seed) for key, part in parts.items()})

    def _fill(self, key: Key, modality: Modality) -> Fill:
        try:
            return modality.fill(setting_of(self.fills, key, "fill"))
        except ArgumentError as error:
            raise type(error)(f"view {key!r}: {error}") from error

    def apply(self, prepared: Prepared, units: Units, block: Block) -> Batch:
        return self.bind(prepared).apply(prepared, units, block)

    def settings(self) -> dict[str, Any]:
        return {"name": "views", "fills": _described(self.fills)}

    @property
    def reproducible(self) -> bool:
        every = self.fills.values() if isinstance(self.fills, Mapping) else (self.fills,)
        return all(fill is None or isinstance(fill, str) or getattr(fill, "reproducible", False) for fill in every)


class BoundViews(Fill):
    """The fills of all views made ready for one object.

    Args:
        fill: they come from.
        fills: by view.
    """

    def __init__(self, fill: ViewFill, fills: Mapping[Key, Fill]) -> None:
        self.fill, self.fills = fill, fills

    def apply(self, prepared: Prepared, units: Units, block: Block) -> Batch:
        if not isinstance(units, ViewUnits):
            raise ArgumentError("a fill of views needs masks of views")
        blocks = units.blocks(block)
        batch: dict[Any, Any] = {}
        for key, part in views_of(prepared).parts.items():
            if key in blocks:
                batch[key] = self.fills[key].apply(part, units.units[key], blocks[key])
            else:
                batch[key] = part.tensor.expand(len(block), *part.tensor.shape).clone()
        return batch

    def settings(self) -> dict[str, Any]:
        return self.fill.settings()


def _described(settings: Any) -> Any:
    """JSON-able: names stay names, recipes and fills become their settings."""
    if isinstance(settings, Mapping):
        return {str(key): _described(value) for key, value in settings.items()}
    described = getattr(settings, "settings", None)
    return (
        described() if callable(described) else settings if isinstance(settings, (str, type(None))) else repr(settings)
    )
