"""Several views of one object in one vector, so that the loop needs not know of them.

A view is a tensor of any shape. Views are laid end to end; masks are made for each view by its own recipe and laid end
to end as well; the encoder gets them apart again.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from relax.encoders import Encoder, Key
from relax.errors import ArgumentError
from relax.fills import Fill
from relax.masks import Block, Masks, Units


@dataclass(frozen=True)
class Packing:
    """Where each view lies in the vector.

    Args:
        shapes: of the views, in their order.
    """

    shapes: dict[Key, tuple[int, ...]]

    def pack(self, views: Mapping[Key, Tensor]) -> Tensor:
        """Views ``(*shape)`` each to ``(T,)``, or with a batch dimension in front to ``(N, T)``."""
        first = next(iter(self.shapes))
        batch = views[first].shape[: views[first].ndim - len(self.shapes[first])]
        return torch.cat([views[key].reshape(*batch, -1) for key in self.shapes], dim=-1)

    def unpack(self, packed: Tensor) -> dict[Key, Tensor]:
        """The inverse of :meth:`pack`."""
        sizes = [math.prod(shape) for shape in self.shapes.values()]
        parts = torch.split(packed, sizes, dim=-1)
        batch = packed.shape[:-1]
        return {
            key: part.reshape(*batch, *shape) for (key, shape), part in zip(self.shapes.items(), parts, strict=True)
        }


class Unpacked(nn.Module):
    """From packed views to what a model of several views is called with.

    Args:
        model: called with a mapping of batches, or with a tuple where the views have no names.
        packing: of the views.
    """

    def __init__(self, model: Callable[..., Any], packing: Packing) -> None:
        super().__init__()
        self.model = model
        self.packing = packing

    def forward(self, packed: Tensor) -> Any:
        views = self.packing.unpack(packed)
        named = all(isinstance(key, str) for key in views)
        return self.model(views if named else tuple(views.values()))


class Alone(nn.Module):
    """From one view to what a model of that one view is called with.

    Args:
        model: called with a mapping of one batch, or with a tuple where the view has no name.
        key: of the view.
    """

    def __init__(self, model: Callable[..., Any], key: Key) -> None:
        super().__init__()
        self.model = model
        self.key = key

    def forward(self, view: Tensor) -> Any:
        return self.model({self.key: view} if isinstance(self.key, str) else (view,))


class ViewUnits(Units):
    """The units of some views laid end to end; the others are always shown.

    Args:
        packing: of all views.
        units: of those whose parts are removed, in the order of the packing.
    """

    def __init__(self, packing: Packing, units: dict[Key, Units]) -> None:
        self.packing = packing
        self.units = units
        self.n_units = sum(part.n_units for part in units.values())
        self.placements = tuple(n for part in units.values() for n in part.placements)
        self.sizes = {key: math.prod(part.shape) for key, part in units.items()}
        self.shape = (sum(self.sizes.values()),)

    def masks(self, block: Block) -> Tensor:
        parts = self._parts(block)
        return torch.cat([self.units[key].masks(part).flatten(1) for key, part in parts.items()], dim=1)

    def pull_back(self, weights: Tensor, block: Block) -> Tensor:
        parts = self._parts(block)
        return torch.cat([self.units[key].pull_back(weights, part).flatten(1) for key, part in parts.items()], dim=1)

    def beside(self, masks: Tensor) -> Tensor:
        shown = dict(zip(self.sizes, torch.split(masks, list(self.sizes.values()), dim=1), strict=True))
        views = {}
        for key, shape in self.packing.shapes.items():
            if key in shown:
                unit = self.units[key]
                views[key] = unit.beside(shown[key].reshape(-1, *unit.shape)).expand(-1, *shape)
            else:
                views[key] = masks.new_ones(1).expand(len(masks), *shape)
        return self.packing.pack(views)

    def maps(self, flat: Any) -> dict[Key, Any]:
        """``(P,)`` values to a map for each view whose parts are removed."""
        found, start = {}, 0
        for key, size in self.sizes.items():
            found[key] = flat[start : start + size].reshape(self.units[key].shape)
            start += size
        return found

    def _parts(self, block: Block) -> dict[Key, Block]:
        found, bit, place = {}, 0, 0
        for key, part in self.units.items():
            bits = block.bits[:, bit : bit + part.n_units]
            found[key] = Block(bits, block.placements[:, place : place + len(part.placements)])
            bit, place = bit + part.n_units, place + len(part.placements)
        return found


class ViewMasks(Masks):
    """A recipe for each view; the views named are masked, all of them by default.

    Args:
        packing: of the views.
        recipes: for each view.
        masked: the views whose parts are removed.
    """

    def __init__(self, packing: Packing, recipes: Mapping[Key, Masks], masked: tuple[Key, ...]) -> None:
        self.packing, self.recipes, self.masked = packing, recipes, masked
        keeps = {recipes[key].keep for key in masked}
        if len(keeps) > 1:
            raise ArgumentError(f"expected one keep probability for all views, got {sorted(keeps)}")
        (self.keep,) = keeps

    def over(self, tensor: Tensor) -> ViewUnits:
        views = self.packing.unpack(tensor)
        return ViewUnits(self.packing, {key: self.recipes[key].over(views[key]) for key in self.masked})

    def settings(self) -> dict[str, Any]:
        return {"name": "views", "views": {str(key): self.recipes[key].settings() for key in self.masked}}


class ViewFill:
    """A fill for each view.

    Args:
        packing: of the views.
        fills: for each view.
        encoders: for each view, with that view's transform.
    """

    def __init__(self, packing: Packing, fills: Mapping[Key, Fill], encoders: Mapping[Key, Encoder]) -> None:
        self.packing, self.fills, self.encoders = packing, fills, encoders

    def background(self, tensor: Tensor, encoder: Encoder, seed: int) -> Tensor:
        views = self.packing.unpack(tensor)
        return self.packing.pack({k: self.fills[k].background(v, self.encoders[k], seed) for k, v in views.items()})

    def settings(self) -> dict[str, Any]:
        return {"name": "views", "views": {str(key): fill.settings() for key, fill in self.fills.items()}}
