"""Masks and fills of multi-view objects: one recipe and one fill per view, concatenated."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from relax.encoders import Key
from relax.errors import ArgumentError
from relax.modalities import fills as fills_
from relax.modalities import masks as masks_
from relax.modalities.base import Modality
from relax.modalities.batches import Batch
from relax.modalities.fills import Fill
from relax.modalities.image.modality import Image
from relax.modalities.prepared import Prepared
from relax.modalities.units import Block, Masks, Units
from relax.modalities.vector.modality import Vector


@dataclass(frozen=True, eq=False)
class PreparedViews(Prepared):
    """One prepared multi-view object.

    Attributes:
        parts: the views, each prepared by its own modality.
        masked: the views that are masked; the others are always shown in full.
    """

    parts: Mapping[Key, Prepared] = field(default_factory=dict)
    masked: tuple[Key, ...] = ()

    @classmethod
    def of(cls, parts: Mapping[Key, Prepared], masked: tuple[Key, ...] | None = None) -> PreparedViews:
        """Combine prepared views.

        Args:
            parts: the views, one tensor each.
            masked: the views to mask; by default all.
        """
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
    """Check that the input is a multi-view object, and return it.

    Raises:
        ArgumentError: it is something else.
    """
    if not isinstance(prepared, PreparedViews):
        raise ArgumentError(f"expected an object of several views for view masks, got {type(prepared).__name__}")
    return prepared


def modality_of(part: Prepared, transform: Any = None, patch: int | None = None) -> Modality:
    """Modality of one view: Vector for one dimension, Image otherwise."""
    return Vector() if part.tensor.ndim == 1 else Image(transform, patch=patch)


def setting_of(setting: Any, key: Key, what: str) -> Any:
    """Setting of one view, from a mapping by view or a setting shared by all.

    Args:
        setting: the mapping or the shared setting.
        key: the view.
        what: name of the setting, for the message.

    Raises:
        ArgumentError: the mapping has no entry for the view.
    """
    if not isinstance(setting, Mapping):
        return setting
    found = key if key in setting else str(key)  # in files, numbers of views are strings
    if found not in setting:
        raise ArgumentError(f"expected `{what}` to have an entry for every view, got none for {key!r}")
    return setting[found]


class ViewUnits(Units):
    """Concatenated units of the masked views, with flat maps.

    Args:
        units: units of each masked view, in the order of the views.
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
        """Split ``(P,)`` values into a map for each masked view."""
        maps, start = {}, 0
        for key, size in self.sizes.items():
            maps[key] = flat[start : start + size].reshape(self.units[key].shape)
            start += size
        return maps

    def blocks(self, block: Block) -> dict[Key, Block]:
        """Split a block of masks into the blocks of the masked views."""
        blocks, bit, place = {}, 0, 0
        for key, part in self.units.items():
            bits = block.bits[:, bit : bit + part.n_units]
            blocks[key] = Block(bits, block.placements[:, place : place + len(part.placements)])
            bit, place = bit + part.n_units, place + len(part.placements)
        return blocks


class ViewMasks(Masks):
    """Masks for each view.

    Args:
        recipes: masks (Masks or their name) for all views, or a mapping of views to masks. ``"grid"`` means columns for
            vectors.
        patch: patch side of the encoder in pixels, if it has patches.

    Raises:
        ArgumentError: the recipes have different keep probabilities.
    """

    def __init__(self, recipes: Any = None, patch: int | None = None) -> None:
        recipes = _restored(recipes, masks_.create)
        self.recipes, self.patch = recipes, patch
        per_view = recipes.values() if isinstance(recipes, Mapping) else (recipes,)
        keep_probabilities = {recipe.keep if isinstance(recipe, Masks) else 0.5 for recipe in per_view}
        if len(keep_probabilities) > 1:
            raise ArgumentError(f"expected one keep probability for all views, got {sorted(keep_probabilities)}")
        self.keep = next(iter(keep_probabilities), 0.5)

    def over(self, prepared: Prepared | Tensor) -> ViewUnits:
        views = views_of(prepared)
        return ViewUnits(
            {key: self.recipe(key, part).over(part) for key, part in views.parts.items() if key in views.masked}
        )

    def recipe(self, key: Key, part: Prepared) -> Masks:
        """Masks of one view.

        Args:
            key: the view.
            part: the prepared view.

        Raises:
            ArgumentError: there is no recipe for the view, or it does not fit the view's modality.
        """
        try:
            return modality_of(part, patch=self.patch).masks(setting_of(self.recipes, key, "masks"))
        except ArgumentError as error:
            raise type(error)(f"view {key!r}: {error}") from error

    def settings(self) -> dict[str, Any]:
        return {"name": "views", "recipes": _json_able(self.recipes), "patch": self.patch}


class ViewFill(Fill):
    """A fill for each view.

    Args:
        fills: a fill (a Fill, its name, or anything else that the modalities accept as a fill) for all views, or a
            mapping of views to fills.
    """

    def __init__(self, fills: Any = None) -> None:
        self.fills = _restored(fills, fills_.create)

    def bind(self, prepared: Prepared, by: Any = None, seed: int = 0) -> BoundViews:
        parts = views_of(prepared).parts
        modalities = {key: by.of(key, part) if hasattr(by, "of") else modality_of(part) for key, part in parts.items()}
        fills = {key: self._fill(key, modality) for key, modality in modalities.items()}
        return BoundViews(self, {key: fills[key].bind(part, modalities[key], seed) for key, part in parts.items()})

    def _fill(self, key: Key, modality: Modality) -> Fill:
        try:
            return modality.fill(setting_of(self.fills, key, "fill"))
        except ArgumentError as error:
            raise type(error)(f"view {key!r}: {error}") from error

    def apply(self, prepared: Prepared, units: Units, block: Block) -> Batch:
        return self.bind(prepared).apply(prepared, units, block)

    def settings(self) -> dict[str, Any]:
        return {"name": "views", "fills": _json_able(self.fills)}

    @property
    def reproducible(self) -> bool:
        fills = self.fills.values() if isinstance(self.fills, Mapping) else (self.fills,)
        return all(fill is None or isinstance(fill, str) or getattr(fill, "reproducible", False) for fill in fills)


class BoundViews(Fill):
    """The fills of all views, bound to one object.

    Args:
        fill: the fill that was bound.
        fills: bound fill of each view.
    """

    def __init__(self, fill: ViewFill, fills: Mapping[Key, Fill]) -> None:
        self.fill, self.fills = fill, fills

    def apply(self, prepared: Prepared, units: Units, block: Block) -> Batch:
        if not isinstance(units, ViewUnits):
            raise ArgumentError(f"expected masks of views for a fill of views, got {type(units).__name__}")
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


def _restored(setting: Any, create: Callable[..., Any]) -> Any:
    """What ``_json_able`` was given: settings, with a name, become masks or fills again."""
    if not isinstance(setting, Mapping):
        return setting
    if isinstance(setting.get("name"), str):
        return create(**setting)
    return {key: _restored(value, create) for key, value in setting.items()}


def _json_able(setting: Any) -> Any:
    """JSON-able description: masks and fills become their settings, names stay names."""
    if isinstance(setting, Mapping):
        return {str(key): _json_able(value) for key, value in setting.items()}
    settings = getattr(setting, "settings", None)
    if callable(settings):
        return settings()
    return setting if isinstance(setting, (str, type(None))) else repr(setting)
