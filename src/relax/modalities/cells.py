"""Cells: the resolution at which a regression resolves a map, and what it assumes about their effects beforehand."""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import cached_property

import torch
from torch import Tensor

from relax.modalities.kernels import Kernel, gaussian, positions_of
from relax.modalities.units import Block, Units, along

MOST = 784
"""Largest number of cells."""

LENGTHS = (1.5, 6.0)
"""Length scales of the kernels of plain cells, in cells."""

GROUPS = 196
"""Largest number of groups of neighbouring cells whose slopes are observed."""

SMOOTH = 2
"""Number of kernels for what varies slowly."""

UNITS = 64
"""Approximate number of units that an array of more elements than that is divided into."""


class Cells:
    """A regular grid of cells over a map of any number of dimensions, and the units that the map speaks of.

    The effects of single cells are mostly too small to be told apart. The importance of a cell is therefore that of the
    unit that contains it, on average over the places of the unit: a box of ``unit`` cells along each dimension, moved
    inward where it would cross the border.

    Args:
        shape: shape of a map, ``(H, W)`` for images.
        grid: number of cells along each dimension, at most the size of the map.
        kernels: ``(P, P)`` float64 positive semidefinite prior covariances of the effects of the ``P`` cells, by name.
        unit: side of a unit along each dimension, in cells, from 1 to the number of cells.
        smooth: whether to interpolate between the centres of cells, instead of giving all elements of a cell its value.
    """

    def __init__(
        self,
        shape: tuple[int, ...],
        grid: tuple[int, ...],
        kernels: Mapping[str, Tensor | Kernel],
        unit: tuple[float, ...],
        smooth: bool = False,
    ) -> None:
        self.shape, self.grid, self.unit, self.smooth = shape, grid, unit, smooth
        self.kernels = tuple(kernel if isinstance(kernel, Kernel) else Kernel(kernel) for kernel in kernels.values())

    @property
    def n_cells(self) -> int:
        """Number of cells P."""
        return math.prod(self.grid)

    @property
    def n_smooth(self) -> int:
        """Number of kernels for what varies slowly: the last ones."""
        return min(SMOOTH, len(self.kernels))

    def seen(self, units: Units, block: Block) -> Tensor:
        """Share of each cell that each mask of a block keeps, ``(B, P)`` float64 on the CPU."""
        return units.averages(block, self._means).flatten(1).cpu().double()

    def shares(self, masks: Tensor) -> Tensor:
        """Share of each cell that a mask keeps.

        Args:
            masks: ``(B, *shape)`` in [0, 1].

        Returns:
            ``(B, P)`` float64 on the CPU.
        """
        return along(masks, self._means).flatten(1).cpu().double()

    def slopes(self, units: Units, block: Block, slopes: Tensor) -> Tensor:
        """Derivatives in the kept shares of the groups of cells, ``(B, Q)`` float64 on the CPU.

        Args:
            units: units of the masks.
            block: ``B`` masks.
            slopes: derivatives in the elements of each mask, ``(B, *shape)``.
        """
        return along(slopes, self._sums).flatten(1).cpu().double()

    @cached_property
    def groups(self) -> Tensor:
        """``(Q, P)`` float64, 1 for the cells of each group: boxes of neighbouring cells, at most 196."""
        groups = torch.ones(1, 1, dtype=torch.float64)
        for pool in self._pools:
            groups = torch.kron(groups, pool)
        return groups

    def to_map(self, values: Tensor) -> Tensor:
        """Map from values of cells.

        Args:
            values: ``(P,)`` float64.

        Returns:
            ``(*shape)`` float64.
        """
        return along(values.view(1, *self.grid), self._weights)[0]

    def over_units(self, values: Tensor) -> Tensor:
        """Sum values of cells over the unit of each cell, ``Σ_q w_pq values_q`` with shares w in [0, 1].

        The mean over the places of the unit that contain the cell; w is the share of cell q in it.

        Args:
            values: ``(B, P)`` float64.
        """
        return along(values.view(-1, *self.grid), self._units).flatten(1)

    def variances(self, covariance: Tensor) -> Tensor:
        """Variance of what ``over_units`` makes of cells of a given covariance, ``(P,)``.

        Args:
            covariance: ``(P, P)`` float64 of the cells.
        """
        axes = [axis for d in range(len(self.grid)) for axis in (d, d + len(self.grid))]
        pairs = covariance.view(*self.grid, *self.grid).permute(axes)
        shares = [(unit[:, :, None] * unit[:, None]).flatten(1) for unit in self._units]
        return along(pairs.reshape(1, *(cells**2 for cells in self.grid)), shares).flatten()

    @cached_property
    def mean_unit(self) -> Tensor:
        """Mean over cells of the shares w, ``(P,)`` float64: times values of cells, the mean of ``over_units``."""
        shares = torch.ones(1, dtype=torch.float64)
        for unit in self._units:
            shares = torch.kron(shares, unit.mean(0))
        return shares

    @cached_property
    def _units(self) -> list[Tensor]:
        """For each dimension, the mean share of each cell in the units that contain a cell: ``(cells, cells)``."""
        return [_unit(cells, side) for cells, side in zip(self.grid, self.unit, strict=True)]

    @cached_property
    def _means(self) -> list[Tensor]:
        """For each dimension, the means over cells: ``(cells, size)``."""
        return [_overlap(size, cells) * cells / size for size, cells in zip(self.shape, self.grid, strict=True)]

    @cached_property
    def _pools(self) -> list[Tensor]:
        """For each dimension, the cells of each group: ``(groups, cells)``."""
        n_dimensions = max(sum(cells > 1 for cells in self.grid), 1)
        side = math.ceil((self.n_cells / GROUPS) ** (1 / n_dimensions))
        pools = []
        for cells in self.grid:
            group = torch.arange(cells) // side
            pools.append(torch.nn.functional.one_hot(group).T.double())
        return pools

    @cached_property
    def _sums(self) -> list[Tensor]:
        """For each dimension, the sums over groups of cells: ``(groups, size)``."""
        sizes = zip(self._pools, self.shape, self.grid, strict=True)
        return [pool @ _overlap(size, cells) for pool, size, cells in sizes]

    @cached_property
    def _weights(self) -> list[Tensor]:
        """For each dimension, the weights of cells in elements: ``(size, cells)``, rows sum to one."""
        sizes = list(zip(self.shape, self.grid, strict=True))
        if self.smooth:
            return [_interpolation(size, cells) for size, cells in sizes]
        return [_overlap(size, cells).T for size, cells in sizes]


class UnitCells:
    """Fixed units as the cells of a regression: a map speaks of each unit as a whole.

    The kernels are independent effects, and the means over units of the kernels of finer cells.

    Args:
        units: units that do not move.
        finer: cells of the same map; ``None`` for independent effects alone.
    """

    def __init__(self, units: Units, finer: Cells | None = None) -> None:
        self.units = units
        self.kernels: tuple[Kernel, ...] = (Kernel(torch.eye(units.n_units, dtype=torch.float64)),)
        if finer is not None:
            one_each = Block(torch.eye(units.n_units), units.middle())
            shares = finer.shares(units.masks(one_each))
            shares = shares / shares.sum(1, keepdim=True).clamp_min(1e-12)
            self.kernels += tuple(Kernel(kernel.after(shares) @ shares.T) for kernel in finer.kernels)

    @property
    def n_cells(self) -> int:
        """Number of units P."""
        return self.units.n_units

    @property
    def n_smooth(self) -> int:
        """Number of kernels for what varies slowly: the last ones."""
        return min(SMOOTH, len(self.kernels))

    def seen(self, units: Units, block: Block) -> Tensor:
        """Whether each mask of a block keeps each unit, ``(B, P)`` float64 on the CPU."""
        return block.bits.cpu().double()

    def slopes(self, units: Units, block: Block, slopes: Tensor) -> Tensor:
        """Derivatives in the bits of each mask, ``(B, P)`` float64 on the CPU.

        Args:
            units: the units.
            block: ``B`` masks.
            slopes: derivatives in the elements of each mask, ``(B, *shape)``.
        """
        with torch.enable_grad():
            bits = block.bits.to(slopes).requires_grad_()
            (found,) = torch.autograd.grad(units.masks(Block(bits, block.placements)), bits, slopes)
        return found.cpu().double()

    @cached_property
    def groups(self) -> Tensor:
        """Every unit alone, ``(P, P)``."""
        return torch.eye(self.n_cells, dtype=torch.float64)

    def over_units(self, values: Tensor) -> Tensor:
        """The values, ``(B, P)``."""
        return values

    def variances(self, covariance: Tensor) -> Tensor:
        """Variance of each unit, ``(P,)``, from their covariance, ``(P, P)``."""
        return covariance.diagonal()

    @cached_property
    def mean_unit(self) -> Tensor:
        """Share of each unit in a unit, on average over units, ``(P,)`` float64."""
        return torch.full((self.n_cells,), 1 / self.n_cells, dtype=torch.float64)

    def to_map(self, values: Tensor) -> Tensor:
        """Map from values of units, ``(P,)`` float64 to ``(*shape)`` float64."""
        return self.units.spread(values)


def plain_cells(shape: tuple[int, ...]) -> Cells:
    """Cells of a map of any shape: its elements if they are few, else equal groups of neighbours.

    The kernels are independent effects, and, for maps of several dimensions or of many elements, effects that vary
    smoothly.

    Args:
        shape: shape of a map.
    """
    n_elements, n_dimensions = math.prod(shape), max(sum(size > 1 for size in shape), 1)
    shrink = min(1.0, (MOST / n_elements) ** (1 / n_dimensions))
    grid = tuple(max(1, int(size * shrink)) for size in shape)
    kernels = {"independent": torch.eye(math.prod(grid), dtype=torch.float64)}
    if len(shape) == 1 and n_elements <= MOST:
        return Cells(shape, grid, kernels, unit=(1.0,))
    positions = positions_of(grid)
    kernels |= {f"smooth over {length:g} cells": gaussian(positions, length) for length in LENGTHS}
    per_dimension = UNITS ** (1 / n_dimensions)
    return Cells(shape, grid, kernels, unit=tuple(max(1.0, cells / per_dimension) for cells in grid))


def _overlap(size: int, cells: int) -> Tensor:
    """Overlap of each of ``cells`` equal intervals with each of ``size`` elements, ``(cells, size)``, in elements."""
    edges = torch.arange(cells + 1, dtype=torch.float64) * size / cells
    left = torch.arange(size, dtype=torch.float64)
    return (torch.minimum(edges[1:, None], left + 1) - torch.maximum(edges[:-1, None], left)).clamp_min(0)


def _unit(cells: int, side: float) -> Tensor:
    """Share of each cell in the intervals of length ``side`` that contain a cell, moved inward at the ends.

    The mean over as many places as the interval has cells, evenly spaced from the one that ends with the cell to the
    one that begins with it.
    """
    left = torch.arange(cells, dtype=torch.float64)
    places = torch.linspace(1 - side, 0, math.ceil(side), dtype=torch.float64) if side > 1 else left[:1]
    start = (left[:, None, None] + places[:, None]).clamp(0, cells - side)
    shares = torch.minimum(start + side, left + 1) - torch.maximum(start, left)
    return shares.clamp_min(0).mean(1)


def _interpolation(size: int, cells: int) -> Tensor:
    """Linear interpolation between the centres of cells, ``(size, cells)`` float64."""
    place = ((torch.arange(size, dtype=torch.float64) + 0.5) * cells / size - 0.5).clamp(0, cells - 1)
    return (1 - (place[:, None] - torch.arange(cells, dtype=torch.float64)).abs()).clamp_min(0)
