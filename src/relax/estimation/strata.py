"""Strata: the kinds of perturbation that a run is made of, and one of them applied to one input."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import torch
from torch import Tensor

from relax.encoders import Session
from relax.errors import ArgumentError
from relax.estimation.designs import Design
from relax.modalities.fills import Background, Blend, Fill
from relax.modalities.prepared import Prepared
from relax.modalities.units import Block, Masks, Units


@dataclass(frozen=True, eq=False)
class Stratum:
    """One kind of masks with one fill, and how much its map weighs among those of other strata.

    The paper's run is one stratum: a 7x7 grid with the mean colour.

    Attributes:
        masks: the recipe.
        fill: what replaces removed units.
        weight: of its map.
        block_size: masks in a block, at most; the design's own if ``None``.
        seed: of its masks and of a random fill.
    """

    masks: Masks
    fill: Fill
    weight: float = 1.0
    block_size: int | None = None
    seed: int = 0


@dataclass(frozen=True, eq=False)
class Perturbed:
    """One input under one stratum: from blocks of bits to representations.

    Attributes:
        prepared: the input, on the device where it is encoded.
        stratum: what is done to it.
        design: which masks to try.
        fill: the stratum's fill made ready for the input.
        laid: the units, where they are known; otherwise they are laid over the input when they are first needed.
    """

    prepared: Prepared
    stratum: Stratum
    design: Design
    fill: Fill
    laid: Units | None = field(default=None, kw_only=True)

    @cached_property
    def units(self) -> Units:
        """The removable units of the input."""
        return self.stratum.masks.over(self.prepared) if self.laid is None else self.laid

    @property
    def block_size(self) -> int:
        """Masks in a block."""
        return self.sized.block_size(self.units.n_units)

    @property
    def sized(self) -> Design:
        """The design with blocks of at most the stratum's size."""
        size = self.stratum.block_size
        return self.design if size is None else self.design.sized(size)

    def block(self, index: int) -> Block:
        """Block ``index`` of the stratum's masks, on the CPU; the same whatever was drawn before."""
        return self.sized.block(index, self.units, self.stratum.masks.keep, self.stratum.seed)

    def encode(self, session: Session, block: Block) -> Tensor:
        """``(B, D)`` representations of the input under each mask of a block."""
        return self.fill.encode(session, self.prepared, self.units, block.to(session.device))

    def units_on(self, device: torch.device) -> Units:
        """The units on a device, where sums are kept."""
        return self.units if device == self.device else self.stratum.masks.over(self.prepared.to(device))

    @property
    def device(self) -> torch.device:
        """Where the input's tensors are; the CPU if it has none."""
        tensors = (value for value in self.prepared.inputs.values() if isinstance(value, Tensor))
        return next((tensor.device for tensor in tensors), torch.device("cpu"))

    @property
    def background(self) -> Tensor:
        """The fill as one input of the encoder.

        Raises:
            ArgumentError: the fill is none, such as one that shortens the input.
        """
        if isinstance(self.fill, Blend):
            return self.fill.background
        if isinstance(self.fill, Background):
            return self.fill.bind(self.prepared).background
        raise ArgumentError(
            f"fill {self.stratum.fill.settings().get('name')!r} is no input of the encoder, which this method needs; "
            "use fill='mean'"
        )


@dataclass(frozen=True, eq=False)
class Tried:
    """One block of masks, and what came of it; handed to estimators and to whoever watches a run.

    Attributes:
        number: of the stratum, in the order in which strata were first tried.
        perturbed: the input under that stratum.
        block: ``B`` masks, on the CPU.
        representations: ``(B, D)``.
        scores: ``(B,)`` float64, on the device where sums are kept.
    """

    number: int
    perturbed: Perturbed
    block: Block
    representations: Tensor
    scores: Tensor


def sums_on(device: torch.device) -> torch.device:
    """Where sums are kept: they need double precision, which Apple's GPUs do not have."""
    return torch.device("cpu") if device.type == "mps" else device
