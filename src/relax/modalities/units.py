"""Masks and units.

A :class:`Masks` is a recipe (cells, keep probability) that knows no input. Laid over one input it becomes
:class:`Units`, which turn bits into masks and weighted sums over bits back into a map.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor

from relax.errors import ArgumentError
from relax.modalities.prepared import Prepared


@dataclass(frozen=True)
class Block:
    """A batch of masks that a design wants to be tried together.

    Attributes:
        bits: ``(B, n_units)`` float32, 1 where a unit is kept.
        placements: ``(B, k)`` or ``(1, k)`` integers: where the units lie, one row a mask or one row for all.
    """

    bits: Tensor
    placements: Tensor

    def __len__(self) -> int:
        return self.bits.shape[0]

    def __getitem__(self, rows: slice) -> Block:
        placements = self.placements if self.placements.shape[0] == 1 else self.placements[rows]
        return Block(self.bits[rows], placements)

    def to(self, device: torch.device) -> Block:
        """The same block on another device."""
        return Block(self.bits.to(device, non_blocking=True), self.placements.to(device, non_blocking=True))


class Units(ABC):
    """The removable units of one input.

    Attributes:
        shape: shape of one mask and of a map, ``(H, W)`` for images.
        n_units: number of bits in a mask.
        placements: number of places of the units along each of its axes: ``(32, 32)`` for a grid that
            can be moved by 0-31 pixels each way, ``(1, 1)`` for one that stays where it is.
    """

    shape: tuple[int, ...]
    n_units: int
    placements: tuple[int, ...]

    @abstractmethod
    def masks(self, block: Block) -> Tensor:
        """Bits to masks: ``(B, *shape)`` float32 in [0, 1]."""

    @abstractmethod
    def pull_back(self, weights: Tensor, block: Block) -> Tensor:
        """The adjoint of :meth:`masks`: weighted sums of the block's masks, without making the masks.

        Args:
            weights: ``(V, B)`` float64.
            block: ``B`` masks.

        Returns:
            ``(V, *shape)`` float64, row v being ``sum_n weights[v, n] * mask_n``.
        """

    def middle(self) -> Tensor:
        """The placement in the middle, ``(1, k)``: where methods that do not move the units lay them."""
        return torch.tensor([[n // 2 for n in self.placements]])

    def spread(self, values: Tensor) -> Tensor:
        """One value a unit to a map: each pixel gets the values of the units it belongs to, weighted by how much.

        Args:
            values: ``(n_units,)``.

        Returns:
            ``shape`` float64, on the values' device.
        """
        alone = Block(torch.eye(self.n_units, device=values.device), self.middle().to(values.device))
        return self.pull_back(values.double()[None], alone)[0]


class LabelUnits(Units):
    """Hard-edged units given by a label for each element of the map; they never move.

    Args:
        labels: of the shape of a map, integers from 0 to ``n_units - 1``.
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
    """A recipe for masks that is independent of the input; frozen, and described by its settings.

    Attributes:
        keep: probability that a unit is kept, in (0, 1).
        modalities: names of those that the masks are for; ``None`` for any.
    """

    keep: float
    modalities: ClassVar[tuple[str, ...] | None] = None

    @abstractmethod
    def over(self, prepared: Prepared | Tensor) -> Units:
        """The units of one input, on the input's device.

        Args:
            prepared: the input; a model-ready tensor will do where the encoder is called with one tensor.
        """

    @abstractmethod
    def settings(self) -> dict[str, Any]:
        """JSON-able description; ``relax.masks.create(**settings)`` makes the same masks again."""


def check_keep(keep: float) -> None:
    """Raise unless ``keep`` is a probability that leaves both outcomes possible."""
    if isinstance(keep, bool) or not isinstance(keep, (int, float)) or not 0.0 < keep < 1.0:
        raise ArgumentError(f"expected `keep` between 0 and 1 (both excluded), got {keep!r}")
