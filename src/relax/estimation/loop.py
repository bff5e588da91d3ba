"""The loop that every perturbation method runs: choose masks, apply them, encode, compare, estimate, stop."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from relax.encoders import Session
from relax.errors import EncoderError, NothingSeenError, RelaxWarning
from relax.estimation.estimators import Estimator
from relax.estimation.stopping import Stopping
from relax.estimation.strata import Perturbed, Tried, sums_on
from relax.modalities.units import Block
from relax.references import Reference


@dataclass(frozen=True)
class Progress:
    """How far a run is.

    Attributes:
        n_masks: masks done.
        expected: masks at which the run will probably end.
        reliability: estimated correlation with the converged map; NaN while it is not known.
    """

    n_masks: int
    expected: int
    reliability: float


OnBlock = Callable[[Progress], None]
Watch = Callable[[Tried], None]


@dataclass(eq=False)
class Loop:
    """One run over an input.

    Strata have their turns in rounds: in the first round they are made one after the other, further rounds repeat them.
    A fixed number of masks ends the run after any turn; an adaptive run ends with a round.

    Args:
        session: the encoder at work.
        reference: what masked representations are compared with.
        stopping: how many masks are enough.
        on_block: called after each turn; asking for it costs a synchronisation a turn on a GPU.
        watch: called with every block that was tried.
        blocks_a_turn: blocks of a stratum in a turn; two give an error from their difference.
    """

    session: Session
    reference: Reference
    stopping: Stopping
    on_block: OnBlock | None = None
    watch: Sequence[Watch] = ()
    blocks_a_turn: int = 1

    def run(self, strata: Iterable[Perturbed], estimator: Estimator) -> Iterator[Estimator]:
        """Try masks until there are enough; yields the estimator after every turn, and checks all at the end.

        Args:
            strata: asked for one after the other, as their turn comes.
            estimator: what the masks are added to.

        Raises:
            NothingSeenError: masking changes the score in none of the strata.
            EncoderError: representations or scores are not finite.
        """
        self._wrong = torch.zeros((), dtype=torch.int64, device=sums_on(self.session.device))
        yield from self._rounds(strata, estimator)
        self.session.check_finite()
        _check_scores(int(self._wrong))

    def _rounds(self, strata: Iterable[Perturbed], estimator: Estimator) -> Iterator[Estimator]:
        kept: list[Perturbed] = []
        unseen: NothingSeenError | None = None
        for perturbed in strata:
            if kept and estimator.n_masks + self.blocks_a_turn * perturbed.block_size > self.stopping.most:
                break
            try:
                self._turn(len(kept), 0, perturbed, estimator)
            except NothingSeenError as error:  # such as of a fill that the encoder cannot tell from the input
                unseen = error
                continue
            kept.append(perturbed)
            if len(kept) == 1 and estimator.n_masks > self.stopping.most:
                _warn_of_limit(int(self.stopping.most), estimator.n_masks)
            done = self._done(estimator, kept, rounds=0)
            yield estimator
            if done:
                return
        if unseen is not None and not kept:
            raise unseen
        yield from self._again(kept, estimator)

    def _again(self, strata: list[Perturbed], estimator: Estimator) -> Iterator[Estimator]:
        """Further rounds of the same strata."""
        rounds = 1
        size = sum(self.blocks_a_turn * perturbed.block_size for perturbed in strata)
        while strata:
            estimator.close_round()
            if self.stopping.done(estimator) or estimator.n_masks + size > self.stopping.most:
                return
            for number, perturbed in enumerate(strata):
                self._turn(number, rounds * self.blocks_a_turn, perturbed, estimator)
                done = self._done(estimator, strata, rounds)
                yield estimator
                if done:
                    return
            rounds += 1

    def _turn(self, number: int, first: int, perturbed: Perturbed, estimator: Estimator) -> None:
        """The next blocks of one stratum."""
        for index in range(first, first + self.blocks_a_turn):
            block = perturbed.block(index)
            representations = perturbed.encode(self.session, block)
            scores = self.reference.score(representations).to(sums_on(representations.device), torch.float64)
            tried = Tried(number, perturbed, block, representations, scores)
            self._wrong += (~torch.isfinite(scores)).sum()
            if index == 0:
                self.session.check_finite()
                _check_scores(int(self._wrong))
                if not self.reference.constant:
                    check_sees(self.session, scores)
            estimator.update(tried)
            for watch in self.watch:
                watch(tried)

    def _done(self, estimator: Estimator, strata: list[Perturbed], rounds: int) -> bool:
        """Whether to stop; tells whoever asked how far the run is."""
        done = self.stopping.done(estimator)
        if self.on_block is not None:
            reliability = estimator.reliability()
            expected = estimator.n_masks if done else self.stopping.expected(estimator, reliability)
            if rounds and self.stopping.most < math.inf:  # adaptive runs end with a round
                size = sum(self.blocks_a_turn * perturbed.block_size for perturbed in strata)
                expected = min(expected, int(self.stopping.most // size * size))
            self.on_block(Progress(estimator.n_masks, max(expected, estimator.n_masks), reliability))
        return done


def _warn_of_limit(most: int, n_masks: int) -> None:
    warnings.warn(
        f"max_masks={most} is less than the first blocks of masks take: {n_masks} were tried; give n_masks= for fewer",
        RelaxWarning,
        stacklevel=2,
    )


def scores_of(session: Session, perturbed: Perturbed, reference: Reference, block: Block) -> Tensor:
    """``(B,)`` scores of the masks of a block, on the input's device."""
    return reference.score(perturbed.encode(session, block))


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
