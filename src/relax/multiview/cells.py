"""Cells of multi-view objects: those of each view, side by side."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate

import torch
from torch import Tensor

from relax.encoders import Key
from relax.errors import ArgumentError
from relax.modalities.resolution import Covariance, Resolution
from relax.modalities.units import Block, Units
from relax.multiview.masks import ViewUnits


@dataclass(frozen=True, eq=False)
class OfView:
    """A prior covariance of the effects of one view's cells; the other views have none under it.

    Attributes:
        own: covariance of the view's cells.
        before: number of cells of the views before it.
        after_it: number of cells of the views after it.
    """

    own: Covariance
    before: int
    after_it: int

    @property
    def matrix(self) -> Tensor:
        """``(P, P)`` float64, zero outside the block of the view."""
        sides = (self.before, self.after_it)
        return torch.nn.functional.pad(self.own.matrix, (*sides, *sides))

    def after(self, masks: Tensor) -> Tensor:
        """``X K`` for X, ``(N, P)`` float64."""
        mine = masks[:, self.before : masks.shape[1] - self.after_it]
        return torch.nn.functional.pad(self.own.after(mine), (self.before, self.after_it))


class ViewCells:
    """Cells of the masked views, concatenated, with flat maps; implements ``Resolution``.

    Each view has the kernels of its own modality, with weights of their own: what one view does to the score says
    nothing about another.

    Args:
        parts: cells of each masked view, in the order of the views.

    Attributes:
        slices: place of the cells of each view among all.
    """

    def __init__(self, parts: Mapping[Key, Resolution]) -> None:
        self.parts = dict(parts)
        self._sizes = [part.n_cells for part in self.parts.values()]
        ends = list(accumulate(self._sizes))
        self.slices = {key: slice(end - n, end) for key, n, end in zip(self.parts, self._sizes, ends, strict=True)}
        rough, smooth = list[OfView](), list[OfView]()
        for key, part in self.parts.items():
            mine = self.slices[key]
            own = [OfView(kernel, mine.start, self.n_cells - mine.stop) for kernel in part.kernels]
            rough, smooth = rough + own[: -part.n_smooth], smooth + own[-part.n_smooth :]
        self.kernels, self.n_smooth = (*rough, *smooth), len(smooth)

    @property
    def n_cells(self) -> int:
        """Number of cells P of all views."""
        return sum(self._sizes)

    def seen(self, units: Units, block: Block) -> Tensor:
        """Share of each cell that each mask of a block keeps, ``(B, P)`` float64 on the CPU."""
        blocks, own = self._blocks(units, block)
        return torch.cat([part.seen(own[key], blocks[key]) for key, part in self.parts.items()], 1)

    def slopes(self, units: Units, block: Block, slopes: Tensor) -> Tensor:
        """Derivatives in the kept shares of the groups of cells, ``(B, Q)`` float64 on the CPU.

        Args:
            units: units of the masks.
            block: ``B`` masks.
            slopes: derivatives in the elements of each mask, ``(B, *shape)``.
        """
        blocks, own = self._blocks(units, block)
        of_view = torch.split(slopes, [math.prod(part.shape) for part in own.values()], 1)
        each = zip(self.parts.items(), of_view, strict=True)
        return torch.cat(
            [part.slopes(own[key], blocks[key], mine.reshape(-1, *own[key].shape)) for (key, part), mine in each], 1
        )

    @cached_property
    def groups(self) -> Tensor:
        """``(Q, P)`` float64, 1 for the cells of each group."""
        sides = [(mine.start, self.n_cells - mine.stop) for mine in self.slices.values()]
        each = zip(self.parts.values(), sides, strict=True)
        return torch.cat([torch.nn.functional.pad(part.groups, beside) for part, beside in each])

    @property
    def of_views(self) -> Tensor:
        """Which cells each view has, ``(V, P)`` float64."""
        view = torch.arange(len(self._sizes)).repeat_interleave(torch.tensor(self._sizes))
        return torch.nn.functional.one_hot(view, len(self._sizes)).T.double()

    def over_units(self, values: Tensor) -> Tensor:
        """Sums over the unit of each cell, ``(B, P)``."""
        each = zip(self.parts.values(), torch.split(values, self._sizes, 1), strict=True)
        return torch.cat([part.over_units(own) for part, own in each], 1)

    def variances(self, covariance: Tensor) -> Tensor:
        """Variances of these sums, ``(P,)``, from the covariance of the cells, ``(P, P)``."""
        each = zip(self.parts.values(), self.slices.values(), strict=True)
        return torch.cat([part.variances(covariance[mine, mine].contiguous()) for part, mine in each])

    @property
    def mean_units(self) -> Tensor:
        """``(V, P)`` float64: times values of cells, the mean over the cells of each view of these sums."""
        return self.of_views * torch.cat([part.mean_unit for part in self.parts.values()])

    @cached_property
    def mean_unit(self) -> Tensor:
        """``(P,)`` float64: times values of cells, the mean over all cells of these sums."""
        return torch.cat([part.mean_unit * part.n_cells / self.n_cells for part in self.parts.values()])

    def to_map(self, values: Tensor) -> Tensor:
        """Concatenated maps of the views, flat, float64, from values of cells, ``(P,)``."""
        each = zip(self.parts.values(), torch.split(values, self._sizes), strict=True)
        return torch.cat([part.to_map(own).flatten() for part, own in each])

    @staticmethod
    def _blocks(units: Units, block: Block) -> tuple[dict[Key, Block], dict[Key, Units]]:
        """The block and the units of each view."""
        if not isinstance(units, ViewUnits):
            raise ArgumentError(f"expected masks of views for cells of views, got {type(units).__name__}")
        return units.blocks(block), units.units
