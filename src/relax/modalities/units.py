"""Masks and units.

:class:`Masks` specify a kind of masks (cells, keep probability) independently of any input. For one input they become
:class:`Units`, which turn bits into masks, and weighted sums over masks into maps.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor

from relax.errors import ArgumentError
from relax.modalities.prepared import Prepared


@dataclass(frozen=True)
class Block:
    """A batch of masks drawn together by a design.

    Attributes:
        bits: ``(B, n_units)`` float32, 1 for a kept unit and 0 for a removed one.
        placements: offsets of the units, integers; ``(B, k)`` with one row per mask, or ``(1, k)`` for all masks.
    """

    bits: Tensor
    placements: Tensor

    def __len__(self) -> int:
        return self.bits.shape[0]

    def __getitem__(self, rows: slice) -> Block:
        placements = self.placements if self.placements.shape[0] == 1 else self.placements[rows]
        return Block(self.bits[rows], placements)

    def to(self, device: torch.device) -> Block:
        """Copy of the block on another device."""
        return Block(self.bits.to(device, non_blocking=True), self.placements.to(device, non_blocking=True))


class Units(ABC):
    """Removable units of one input.

    Attributes:
        shape: shape of a mask and of a map, ``(H, W)`` for images.
        n_units: number of units, and of bits in a mask.
        placements: number of offsets along each axis: ``(32, 32)`` for a grid that moves by 0-31 pixels in each
            direction, ``(1, 1)`` for a fixed one.
    """

    shape: tuple[int, ...]
    n_units: int
    placements: tuple[int, ...]

    @abstractmethod
    def masks(self, block: Block) -> Tensor:
        """Turn bits into masks.

        Args:
            block: ``B`` masks as bits.

        Returns:
            ``(B, *shape)`` float32 in [0, 1]; 1 keeps an element.
        """

    def averages(self, block: Block, means: Sequence[Tensor]) -> Tensor:
        """Means of each mask over cells, without more memory than for the masks.

        Args:
            block: ``B`` masks as bits.
            means: for each dimension of a mask, the means over cells, ``(cells, size)`` float64.

        Returns:
            ``(B, *cells)``, of floating-point numbers.
        """
        return along(self.masks(block), means)

    @abstractmethod
    def pull_back(self, weights: Tensor, block: Block) -> Tensor:
        """Adjoint of :meth:`masks`: weighted sums of masks, without materialising them.

        Args:
            weights: ``(V, B)`` float64.
            block: ``B`` masks as bits.

        Returns:
            ``(V, *shape)`` float64; row v is ``sum_n weights[v, n] * mask_n``.
        """

    def middle(self) -> Tensor:
        """Central placement, ``(1, k)``, for methods that do not move the units."""
        return torch.tensor([[n // 2 for n in self.placements]])

    def spread(self, values: Tensor) -> Tensor:
        """Spread one value per unit over a map, weighted by the membership of each element in the units.

        Args:
            values: ``(n_units,)``.

        Returns:
            ``(*shape)`` float64, on the device of the values.
        """
        one_unit_each = Block(torch.eye(self.n_units, device=values.device), self.middle().to(values.device))
        return self.pull_back(values.double()[None], one_unit_each)[0]


class LabelUnits(Units):
    """Fixed, hard-edged units, defined by a label for each element of the map.

    Args:
        labels: integers from 0 to ``n_units - 1``, of the map's shape.
    """

    def __init__(self, labels: Tensor) -> None:
        self.labels = labels
        self.shape = tuple(labels.shape)
        self.n_units = int(labels.max()) + 1
        self.placements = (1,)

    def masks(self, block: Block) -> Tensor:
        return block.bits[:, self.labels]

    def pull_back(self, weights: Tensor, block: Block) -> Tensor:
        return (weights @ block.bits.double())[:, self.labels]


class Masks(ABC):
    """Base class of kinds of masks, independent of the input; immutable.

    Attributes:
        keep: probability of keeping a unit, in (0, 1).
        modalities: names of supported modalities; ``None`` for all.
    """

    keep: float
    modalities: ClassVar[tuple[str, ...] | None] = None

    @abstractmethod
    def over(self, prepared: Prepared | Tensor) -> Units:
        """Create the units of one input, on the input's device.

        Args:
            prepared: the prepared input, or its model-ready tensor if it has only one.

        Raises:
            ArgumentError: the masks do not fit the input.
        """

    @abstractmethod
    def settings(self) -> dict[str, Any]:
        """JSON-serialisable description; ``relax.masks.create(**settings)`` recreates the masks."""


def check_keep(keep: float) -> None:
    """Check that a keep probability is in (0, 1).

    Raises:
        ArgumentError: it is not.
    """
    if isinstance(keep, bool) or not isinstance(keep, (int, float)) or not 0.0 < keep < 1.0:
        raise ArgumentError(f"expected `keep` between 0 and 1 (both excluded), got {keep!r}")


def along(values: Tensor, matrices: Sequence[Tensor]) -> Tensor:
    """Apply a matrix to each dimension of values but the first.

    Args:
        values: ``(B, *shape)``.
        matrices: for each dimension ``(length, size)``.

    Returns:
        ``(B, *lengths)``.
    """
    for dimension, matrix in enumerate(matrices, start=1):
        values = torch.tensordot(values, matrix.to(values), ([dimension], [1])).movedim(-1, dimension)
    return values
