"""Strata: the kinds of perturbation in a run, and their application to one input."""

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
    """One kind of masks with one fill.

    The paper uses a single stratum: a 7x7 grid with the mean colour.

    Attributes:
        masks: the kind of masks.
        fill: replaces removed units.
        weight: weight of the stratum's map relative to those of other strata.
        block_size: maximum number of masks in a block; ``None`` for the design's default.
        seed: random seed of the masks and of a random fill.
    """

    masks: Masks
    fill: Fill
    weight: float = 1.0
    block_size: int | None = None
    seed: int = 0


@dataclass(frozen=True, eq=False)
class Perturbed:
    """One input under one stratum: turns blocks of masks into representations.

    Attributes:
        prepared: the input, on the session's device.
        stratum: the kind of masks and fill.
        design: draws the masks.
        fill: the stratum's fill, bound to the input.
        laid: the units of the input, if already computed; ``None`` computes them on first use.
    """

    prepared: Prepared
    stratum: Stratum
    design: Design
    fill: Fill
    laid: Units | None = field(default=None, kw_only=True)

    @cached_property
    def units(self) -> Units:
        """Removable units of the input, on its device."""
        return self.stratum.masks.over(self.prepared) if self.laid is None else self.laid

    @property
    def block_size(self) -> int:
        """Number of masks in a block."""
        return self.sized.block_size(self.units.n_units)

    @property
    def sized(self) -> Design:
        """The design, limited to the stratum's block size."""
        size = self.stratum.block_size
        return self.design if size is None else self.design.sized(size)

    def block(self, index: int) -> Block:
        """Block ``index`` of the stratum's masks, on the CPU; independent of the blocks drawn before."""
        return self.sized.block(index, self.units, self.stratum.masks.keep, self.stratum.seed)

    def encode(self, session: Session, block: Block) -> Tensor:
        """Representations of the input under the ``B`` masks of a block, ``(B, D)``."""
        return self.fill.encode(session, self.prepared, self.units, block.to(session.device))

    def units_on(self, device: torch.device) -> Units:
        """The units on a device, such as that of the sums."""
        return self.units if device == self.device else self.stratum.masks.over(self.prepared.to(device))

    @property
    def device(self) -> torch.device:
        """Device of the input's tensors; the CPU if it has none."""
        tensors = (value for value in self.prepared.inputs.values() if isinstance(value, Tensor))
        return next((tensor.device for tensor in tensors), torch.device("cpu"))

    @property
    def background(self) -> Tensor:
        """The fill as a model-ready tensor of the input's shape.

        Raises:
            ArgumentError: the fill is not a background, such as one that shortens the input.
        """
        if isinstance(self.fill, Blend):
            return self.fill.background
        if isinstance(self.fill, Background):
            return self.fill.bind(self.prepared).background
        raise ArgumentError(
            f"this method needs a fill of the input's shape, got fill {self.stratum.fill.settings().get('name')!r}; "
            "use fill='mean'"
        )


@dataclass(frozen=True, eq=False)
class Tried:
    """One evaluated block of masks, passed to estimators and ``watch`` callbacks.

    Attributes:
        number: index of the stratum, in order of first evaluation.
        perturbed: the input under that stratum.
        block: ``B`` masks, on the CPU.
        representations: representations of the masked inputs, ``(B, D)``.
        scores: scores of the masked inputs, ``(B,)`` float64, on the device of the sums.
    """

    number: int
    perturbed: Perturbed
    block: Block
    representations: Tensor
    scores: Tensor


def sums_on(device: torch.device) -> torch.device:
    """Device for double-precision sums: the CPU instead of MPS, which lacks float64."""
    return torch.device("cpu") if device.type == "mps" else device
