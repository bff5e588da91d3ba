"""Strata: the kinds of perturbation in a run, and their application to one input."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from relax.encoders import Session
from relax.errors import ArgumentError, EncoderError
from relax.estimation.designs import Design
from relax.modalities.fills import Background, Blend, Fill, blended
from relax.modalities.prepared import Prepared
from relax.modalities.units import Block, Masks, Units
from relax.references import Reference

if TYPE_CHECKING:
    from relax.estimation.estimators import Estimator

FORWARDS_ONLY = "use method='relax-regression', which needs forwards only"


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

    def encode_with_slopes(self, session: Session, reference: Reference, block: Block) -> tuple[Tensor, Tensor]:
        """Representations of the input under the ``B`` masks of a block, and the derivatives of their scores.

        Args:
            session: running session of the encoder.
            reference: scores the representations.
            block: ``B`` masks, on the CPU.

        Returns:
            ``(B, D)``, and ``(B, *shape)`` derivatives in the elements of each mask.

        Raises:
            ArgumentError: the fill is not a background, or the encoder or the reference gives no gradients, or only
                zeros.
            EncoderError: a gradient is not finite.
        """
        tensor, background, block = self.prepared.tensor, self.background, block.to(session.device)

        def step(rows: slice) -> Tensor:
            masks = self.units.masks(block[rows]).detach().requires_grad_()
            with torch.enable_grad():
                representations = session(blended(tensor, background, masks))
                slopes = _slopes(reference.score(representations), masks, session)
            return torch.cat([representations.detach(), slopes.flatten(1).to(representations)], 1)

        found = session.run(len(block), ("slopes", *tensor.shape), step)
        n_elements = math.prod(self.units.shape)
        representations, slopes = found[:, :-n_elements], found[:, -n_elements:]
        if not torch.isfinite(slopes).all():
            raise EncoderError(f"encoder {session.encoder.name!r} has NaN or infinite gradients; {FORWARDS_ONLY}")
        if not (reference.constant or slopes.any()):
            raise ArgumentError(f"encoder {session.encoder.name!r} has gradients of zero; {FORWARDS_ONLY}")
        return representations, slopes.reshape(len(block), *self.units.shape)

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
        slopes: derivatives of the scores in the elements of each mask, ``(B, *shape)``; ``None`` if not asked for.
        estimator: the estimator of the run, which has seen the block when ``watch`` callbacks are called.
    """

    number: int
    perturbed: Perturbed
    block: Block
    representations: Tensor
    scores: Tensor
    slopes: Tensor | None = None
    estimator: Estimator | None = None


def _slopes(scores: Tensor, masks: Tensor, session: Session) -> Tensor:
    """Derivatives of each score in the elements of its mask."""
    try:
        (slopes,) = torch.autograd.grad(scores.sum(), masks)
    except RuntimeError as error:
        if "grad" not in str(error):
            raise
        raise ArgumentError(
            f"encoder {session.encoder.name!r} or its reference gives no gradients; {FORWARDS_ONLY}"
        ) from error
    return slopes


def sums_on(device: torch.device) -> torch.device:
    """Device for double-precision sums: the CPU instead of MPS, which lacks float64."""
    return torch.device("cpu") if device.type == "mps" else device
