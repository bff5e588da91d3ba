"""The loop of all perturbation methods: draw masks, apply them, encode, score, estimate, stop."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from relax._support.warning import warn
from relax.encoders import Session
from relax.errors import EncoderError, NothingSeenError
from relax.estimation.estimators import Estimator
from relax.estimation.stopping import Stopping
from relax.estimation.strata import Perturbed, Tried, sums_on
from relax.modalities.units import Block
from relax.references import Reference


@dataclass(frozen=True)
class Progress:
    """Progress of a run.

    Attributes:
        n_masks: number of masks so far.
        expected: expected number of masks at the end of the run.
        reliability: estimated correlation with the converged map, in [0, 1]; NaN while unknown.
    """

    n_masks: int
    expected: int
    reliability: float


OnBlock = Callable[[Progress], None]
Watch = Callable[[Tried], None]


@dataclass(eq=False)
class Loop:
    """One run over one input.

    Strata take turns in rounds. The first round creates them one by one, later rounds repeat them. A run with a fixed
    number of masks may stop after any turn; an adaptive run stops at the end of a round.

    Args:
        session: running session of the encoder.
        reference: scores the masked representations.
        stopping: decides when there are enough masks.
        on_block: callback after each turn; costs one GPU synchronisation per turn.
        watch: callbacks, called with every scored block.
        blocks_a_turn: number of blocks per turn; two suffice for a standard error.
        slopes: whether to differentiate the scores, too.
    """

    session: Session
    reference: Reference
    stopping: Stopping
    on_block: OnBlock | None = None
    watch: Sequence[Watch] = ()
    blocks_a_turn: int = 1
    slopes: bool = False

    def run(self, strata: Iterable[Perturbed], estimator: Estimator) -> Iterator[Estimator]:
        """Evaluate masks until there are enough; yield the estimator after every turn.

        Args:
            strata: the strata, consumed lazily.
            estimator: accumulates the scored masks.

        Raises:
            NothingSeenError: masking does not change the score in any stratum.
            EncoderError: representations or scores are not finite.
        """
        self._n_nonfinite = torch.zeros((), dtype=torch.int64, device=sums_on(self.session.device))
        yield from self._rounds(strata, estimator)
        self.session.check_finite()
        _check_scores(int(self._n_nonfinite))

    def _rounds(self, strata: Iterable[Perturbed], estimator: Estimator) -> Iterator[Estimator]:
        active: list[Perturbed] = []
        nothing_seen: NothingSeenError | None = None
        for perturbed in strata:
            if active and estimator.n_masks + self.blocks_a_turn * perturbed.block_size > self.stopping.most:
                break
            try:
                self._turn(len(active), 0, perturbed, estimator)
            except NothingSeenError as error:  # e.g. the encoder cannot tell this fill from the input
                nothing_seen = error
                continue
            active.append(perturbed)
            if len(active) == 1 and estimator.n_masks > self.stopping.most:
                _warn_of_limit(int(self.stopping.most), estimator.n_masks)
            done = self._done(estimator, active, rounds=0)
            yield estimator
            if done:
                return
        if nothing_seen is not None and not active:
            raise nothing_seen
        yield from self._later_rounds(active, estimator)

    def _later_rounds(self, strata: list[Perturbed], estimator: Estimator) -> Iterator[Estimator]:
        """Repeat rounds over the same strata."""
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
        """Evaluate the next blocks of one stratum."""
        for index in range(first, first + self.blocks_a_turn):
            block = perturbed.block(index)
            representations, slopes = self._encoded(perturbed, block)
            scores = self.reference.score(representations).to(sums_on(representations.device), torch.float64)
            tried = Tried(number, perturbed, block, representations, scores, slopes, estimator)
            self._n_nonfinite += (~torch.isfinite(scores)).sum()
            if index == 0:
                self.session.check_finite()
                _check_scores(int(self._n_nonfinite))
                if not self.reference.constant:
                    check_sees(self.session, scores)
            estimator.update(tried)
            for watch in self.watch:
                watch(tried)

    def _encoded(self, perturbed: Perturbed, block: Block) -> tuple[Tensor, Tensor | None]:
        """Representations of a block of masks, and slopes if asked for."""
        if self.slopes:
            return perturbed.encode_with_slopes(self.session, self.reference, block)
        return perturbed.encode(self.session, block), None

    def _done(self, estimator: Estimator, strata: list[Perturbed], rounds: int) -> bool:
        """Whether to stop; reports progress to the callback."""
        done = self.stopping.done(estimator)
        if self.on_block is not None:
            reliability = estimator.reliability()
            expected = estimator.n_masks if done else self.stopping.expected(estimator, reliability)
            if rounds and self.stopping.most < math.inf:  # adaptive runs stop at the end of a round
                size = sum(self.blocks_a_turn * perturbed.block_size for perturbed in strata)
                expected = min(expected, int(self.stopping.most // size * size))
            self.on_block(Progress(estimator.n_masks, max(expected, estimator.n_masks), reliability))
        return done


def _warn_of_limit(most: int, n_masks: int) -> None:
    warn(f"max_masks={most} is less than the first turn, which took {n_masks} masks")


def scores_of(session: Session, perturbed: Perturbed, reference: Reference, block: Block) -> Tensor:
    """Scores of the masks of a block, ``(B,)``, on the session's device."""
    return reference.score(perturbed.encode(session, block))


def _check_scores(n_nonfinite: int) -> None:
    """Raise an error if scores of finite representations are not finite."""
    if n_nonfinite:
        raise EncoderError(
            f"{n_nonfinite} masked inputs have a score that is NaN or infinite, although their representations are "
            "finite; check the similarity, or what the input is compared with"
        )


def sees(scores: Tensor) -> bool:
    """Whether masking changes the score: ``max s − min s > 1e-6 · max |s|`` for scores ``(B,)``."""
    return float(scores.max() - scores.min()) > 1e-6 * float(scores.abs().max())


def check_sees(session: Session, scores: Tensor) -> None:
    """Check that masking changes the score.

    Args:
        session: session of the encoder, for the message.
        scores: ``(B,)`` scores of masked inputs.

    Raises:
        NothingSeenError: all scores are the same.
    """
    if not sees(scores):
        raise NothingSeenError(
            f"all {len(scores)} masked inputs have the same score {float(scores[0]):.6g} with encoder "
            f"{session.encoder.name!r}: the representation is constant, of length one, or zero, the input equals the "
            "fill, or the reference scores all inputs alike; check the encoder, the fill and against="
        )
