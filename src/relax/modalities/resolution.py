"""What a regression needs to know of the cells on which it regresses scores."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from torch import Tensor

from relax.modalities.units import Block, Units


class Covariance(Protocol):
    """A prior covariance of the effects of cells."""

    @property
    def matrix(self) -> Tensor:
        """``(P, P)`` float64, positive semidefinite."""

    def after(self, masks: Tensor) -> Tensor:
        """``X K`` for X, ``(N, P)`` float64."""


class Resolution(Protocol):
    """Cells of a map, the units that the map speaks of, and prior covariances of the cells' effects."""

    @property
    def kernels(self) -> Sequence[Covariance]:
        """The covariances, from rough to smooth."""

    @property
    def n_smooth(self) -> int:
        """Number of kernels for what varies slowly: the last ones."""

    @property
    def n_cells(self) -> int:
        """Number of cells P."""

    def seen(self, units: Units, block: Block) -> Tensor:
        """Share of each cell that each mask of a block keeps, ``(B, P)`` float64 on the CPU."""

    def slopes(self, units: Units, block: Block, slopes: Tensor) -> Tensor:
        """Derivatives in the kept shares of groups of cells, ``(B, Q)``, from those in the elements of each mask."""

    @property
    def groups(self) -> Tensor:
        """``(Q, P)`` float64, 1 for the cells of each group."""

    def over_units(self, values: Tensor) -> Tensor:
        """Sums over the unit of each cell, ``(B, P)``."""

    def variances(self, covariance: Tensor) -> Tensor:
        """Variances of these sums, ``(P,)``, from the covariance of the cells, ``(P, P)``."""

    @property
    def mean_unit(self) -> Tensor:
        """``(P,)`` float64: times values of cells, the mean over cells of these sums."""

    def to_map(self, values: Tensor) -> Tensor:
        """Map, ``(*shape)`` float64, from values of cells, ``(P,)`` float64."""
