"""The problem that a method solves: one input with everything needed to explain it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import torch
from torch import nn

from relax._support.warning import warn
from relax.encoders import Encoder, Session
from relax.errors import ArgumentError
from relax.estimation import designs
from relax.estimation.designs import MOST_UNITS, Design, Exhaustive, FoldOver, enumerable
from relax.estimation.loop import OnBlock, Watch
from relax.estimation.stopping import FixedNumber, Stopping
from relax.estimation.strata import Perturbed, Stratum
from relax.modalities import Modality, Prepared
from relax.modalities.batches import Batch
from relax.modalities.fills import Fill
from relax.modalities.units import Masks
from relax.references import Reference


@dataclass(frozen=True, eq=False)
class Problem:
    """One input with everything a method needs to explain it.

    Attributes:
        encoder: the encoder to explain.
        session: running session of the encoder.
        prepared: the input, on the session's device.
        reference: scores representations.
        design: draws the masks.
        stopping: decides when there are enough masks.
        seed: random seed of the run.
        masks: kinds of masks requested by the user; ``None`` for the method's own.
        fills: replace removed units; at least one.
        on_block: callback after each turn of the loop.
        signed: whether parts of the input may also push away from the reference.
        watch: callbacks, called with every scored block of masks.
        bound: fills bound to the input, with what they were bound to; a blur takes as long as encoding a picture.
    """

    encoder: Encoder
    session: Session
    prepared: Prepared
    reference: Reference
    design: Design
    stopping: Stopping
    seed: int
    masks: tuple[Masks, ...] | None
    fills: tuple[Fill, ...]
    on_block: OnBlock | None = None
    signed: bool = False
    watch: Sequence[Watch] = ()
    bound: dict[Any, tuple[Fill, Prepared, Fill]] = field(default_factory=dict, repr=False)

    @property
    def modality(self) -> Modality:
        """Modality of the input."""
        return self.encoder.modality

    @cached_property
    def perturbed(self) -> Perturbed:
        """The input under the first kind of masks and the first fill."""
        return self.under(Stratum(self.kind, self.fills[0], seed=self.seed))

    @property
    def kind(self) -> Masks:
        """The first requested kind of masks, or the modality's default."""
        return self.masks[0] if self.masks else self.modality.masks(None)

    @property
    def kinds(self) -> tuple[Masks, ...]:
        """The requested kinds of masks, or the modality's default for methods that take several."""
        return self.masks or self.modality.kinds(self.prepared)

    def under(self, stratum: Stratum) -> Perturbed:
        """Bind the input to a stratum.

        Raises:
            ArgumentError: the stratum's fill does not support its masks or the encoder.
        """
        stratum.fill.check(stratum.masks, self.encoder)
        return Perturbed(self.prepared, stratum, self.design, self._bound(stratum.fill))

    def _bound(self, fill: Fill) -> Fill:
        """The fill bound to the input, once."""
        key = (id(fill), id(self.prepared))
        if key not in self.bound:
            self.bound[key] = fill, self.prepared, fill.bind(self.prepared, self.modality, self.seed)
        return self.bound[key][2]

    def enumerated(self, enumerates: bool = True) -> Problem:
        """The problem with all masks, each once, if the run may take that many; else unchanged.

        Args:
            enumerates: whether the method can do with each mask once.

        Raises:
            ArgumentError: all masks were asked for, and it cannot, or there are several kinds of masks or fills.
        """
        asked_for = isinstance(self.design, Exhaustive)
        if not enumerates:
            if asked_for:
                raise ArgumentError("this method resamples masks and cannot try each once; use design='independent'")
            return self
        if not asked_for and not (self.stopping.enumerated and isinstance(self.design, FoldOver)):
            return self
        units = self.perturbed.units
        alone = len(self.kinds) == len(self.fills) == 1
        if asked_for and not alone:
            raise ArgumentError(
                "design='exhaustive' takes one kind of masks and one fill, got "
                f"{len(self.kinds)} and {len(self.fills)}; pass masks= and fill= with one each"
            )
        n_masks = 1 << units.n_units
        if asked_for and isinstance(self.stopping, FixedNumber) and self.stopping.n_masks != n_masks:
            warn(f"n_masks={self.stopping.n_masks} has no effect: design='exhaustive' tries all {n_masks} masks")
        few = units.n_units <= MOST_UNITS and n_masks <= self.stopping.enumerated
        if not asked_for and not (alone and few and enumerable(units, self.kind.keep)):
            return self
        return replace(self, design=designs.ensure("exhaustive"), stopping=FixedNumber(n_masks))

    def module(self, method: str, instead: str) -> nn.Module:
        """The encoder's model, for methods that hook into it.

        Args:
            method: name of the method, for the message.
            instead: advice for encoders that are not modules, for the message.

        Raises:
            ArgumentError: the model is not an ``nn.Module``, or it is scripted or compiled.
        """
        model, name = self.encoder.model, self.encoder.name
        if not isinstance(model, nn.Module):
            raise ArgumentError(
                f"method {method!r} needs an nn.Module, encoder {name!r} is a {type(model).__name__}; {instead}"
            )
        if isinstance(model, torch.jit.ScriptModule) or hasattr(model, "_orig_mod"):
            raise ArgumentError(
                f"method {method!r} cannot hook into a scripted or compiled model; pass the original module, or: "
                f"{instead}"
            )
        return model

    def whole(self) -> Batch:
        """Copy of the unmasked input as a batch of one."""
        return self.modality.collate([self.prepared])
