"""The loop that every perturbation method runs: choose masks, apply them, encode, compare, add up, stop."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property

import torch
from torch import Tensor, nn

from relax.designs import Design
from relax.encoders import Session
from relax.encoders.tokens import only_patches
from relax.errors import EncoderError, NothingSeenError
from relax.masks import Block, Masks, Units
from relax.moments import Moments
from relax.references import Reference
from relax.stopping import Stopping


@dataclass(frozen=True)
class Progress:
    """How far a run is.

    Attributes:
        n_masks: masks done.
        expected: masks at which the run will probably end.
        reliability: estimated correlation with the converged map; NaN while there is one block only.
    """

    n_masks: int
    expected: int
    reliability: float


OnBlock = Callable[[Progress], None]


@dataclass(frozen=True, eq=False)
class Masked:
    """An input that parts can be removed from.

    Args:
        tensor: ``(C, H, W)``, model-ready.
        background: what stands in for removed parts, of the same shape.
        masks: the recipe for the parts; they are laid over the input when a method first asks for them.
        laid: the parts, where they are known.
    """

    tensor: Tensor
    background: Tensor
    masks: Masks
    laid: Units | None = field(default=None, kw_only=True)

    @cached_property
    def units(self) -> Units:
        """The parts."""
        return self.masks.over(self.tensor) if self.laid is None else self.laid

    def __call__(self, block: Block) -> Tensor:
        """``b + (x − b) ⊙ M`` for every mask of a block: ``(B, C, H, W)``."""
        kept = self.units.beside(self.units.masks(block)).to(self.tensor.dtype)
        return torch.addcmul(self.background, self.tensor - self.background, kept)

    def represent(self, session: Session, block: Block) -> Tensor:
        """``(B, D)`` representations of the masked input."""
        return session.run(len(block), self.tensor.shape, lambda rows: session(self(block[rows])))


@dataclass(frozen=True, eq=False)
class Dropped(Masked):
    """An input whose removed patches a vision transformer does not see at all.

    Args:
        stage: the encoder's module after which patches are dropped.
        patch: side of a patch in pixels.
    """

    stage: nn.Module
    patch: int

    def represent(self, session: Session, block: Block) -> Tensor:
        """``(B, D)``; rows that keep equally many patches are encoded together."""
        half = self.patch // 2
        kept = self.units.masks(block)[:, half :: self.patch, half :: self.patch].flatten(1) > 0.5
        counts = kept.sum(1)
        order = torch.argsort(counts, stable=True)

        def encode(rows: slice) -> Tensor:
            some = order[rows]
            parts = []
            for count in torch.unique(counts[some]):
                same = kept[some][counts[some] == count]
                indices = same.nonzero()[:, 1].view(len(same), -1)
                with only_patches(self.stage, indices, kept.shape[1]):
                    parts.append(session(self.tensor.expand(len(same), *self.tensor.shape)))
            return torch.cat(parts)

        representations = session.run(len(block), self.tensor.shape, encode)
        return representations[torch.argsort(order)]


def run(
    session: Session,
    masked: Masked,
    reference: Reference,
    design: Design,
    stopping: Stopping,
    seed: int,
    on_block: OnBlock | None = None,
    moments: Moments | None = None,
) -> Moments:
    """Explain one input; returns the moments of all masks that were tried.

    Args:
        session: an encoder at work.
        masked: the input, on the session's device.
        reference: what masked representations are compared with.
        design: which masks to try.
        stopping: how many.
        seed: of the design.
        on_block: called after each block; asking for it costs a synchronisation a block on a GPU.
        moments: what the sums are added to; by default new ones.
    """
    device = masked.tensor.device
    sums = sums_on(device)
    units = masked.units if sums == device else masked.masks.over(masked.tensor.to(sums))
    moments = Moments(units.shape, sums, design.group) if moments is None else moments
    wrong = torch.zeros((), dtype=torch.int64, device=sums)
    done = False
    while not done:
        index = moments.n_blocks
        block = design.block(index, units, masked.masks.keep, seed)
        scores = scores_of(session, masked, reference, block).to(sums, torch.float64)
        wrong += (~torch.isfinite(scores)).sum()
        if index == 0:
            session.check_finite()
            _check_scores(int(wrong))
            if not reference.constant:
                check_sees(session, scores)
        moments.update(units, block.to(sums), scores)
        done = stopping.done(moments)
        if on_block is not None:
            reliability = moments.reliability()
            expected = moments.n_masks if done else stopping.expected(moments, reliability)
            on_block(Progress(moments.n_masks, expected, reliability))
    session.check_finite()
    _check_scores(int(wrong))
    return moments


def sums_on(device: torch.device) -> torch.device:
    """Where sums are kept: they need double precision, which Apple's GPUs do not have."""
    return torch.device("cpu") if device.type == "mps" else device


def scores_of(session: Session, masked: Masked, reference: Reference, block: Block) -> Tensor:
    """``(B,)`` scores of the masks of a block, on the input's device."""
    return reference.score(masked.represent(session, block.to(masked.tensor.device)))


def _check_scores(wrong: int) -> None:
    """Raise if finite representations got scores that are not."""
    if wrong:
        raise EncoderError(
            f"{wrong} masked inputs have a score that is NaN or infinite, although their representations are finite; "
            "check the similarity, or what the input is compared with"
        )


def sees(scores: Tensor) -> bool:
    """Whether masking changes the score."""
    return float(scores.max() - scores.min()) > 1e-6 * float(scores.abs().max())


def check_sees(session: Session, scores: Tensor) -> None:
    """Raise if masking changes nothing: there would be nothing to explain."""
    if not sees(scores):
        raise NothingSeenError(
            f"all {len(scores)} masked inputs have the same score {float(scores[0]):.6g} with encoder "
            f"{session.encoder.name!r}: its representation is constant, of length one, or zero, the input equals the "
            "fill, or what it is compared with is the same for all of them; check the encoder, the fill and against="
        )
