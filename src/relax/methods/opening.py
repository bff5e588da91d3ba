"""One input opened for a method: its representation, what it is compared with, and what makes an Explanation."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace

from relax.encoders import Session
from relax.estimation.loop import OnBlock, Watch
from relax.estimation.maps import Maps
from relax.explanation import Explanation
from relax.methods import Problem
from relax.methods.configuration import Configuration
from relax.methods.provenance import explanation_of, settings_of
from relax.modalities import Prepared
from relax.references import Against, Context
from relax.references.base import Unset


class Opened:
    """One input with everything that a method asks for.

    Args:
        configuration: of the run.
        session: the encoder at work; its precision is settled here.
        prepared: the input.
        against: what to compare it with.
        seed: of everything random.
        watch: called with every block of masks that was tried.
        on_block: called after each turn of the loop.

    Attributes:
        problem: what the method is given.
    """

    def __init__(
        self,
        configuration: Configuration,
        session: Session,
        prepared: Prepared,
        against: Against,
        seed: int,
        watch: Sequence[Watch],
        on_block: OnBlock | None,
    ) -> None:
        self._began = time.perf_counter()
        self._configuration, self._prepared, self._against = configuration, prepared, against
        encoder, method = configuration.encoder, configuration.method
        problem = Problem(
            encoder=encoder,
            session=session,
            prepared=prepared.to(session.device),
            reference=Unset(),
            design=configuration.design,
            stopping=configuration.stopping,
            seed=seed,
            masks=configuration.masks,
            fills=configuration.fills,
            on_block=on_block,
            signed=against.signed,
            watch=tuple(watch),
        )
        session.settle(lambda n: method.probe(problem, n))
        self._own = session.encode(problem.whole())
        self._similarity = configuration.similarity or against.similarity or method.score_similarity
        context = Context(encoder, session, self._own[0], self._similarity)
        self.problem = replace(problem, reference=against.reference(context))

    def explanation(self, maps: Maps) -> Explanation:
        """Maps of this input as an Explanation."""
        settings = settings_of(
            self._configuration.method,
            self.problem,
            self._against,
            self._similarity,
            self._configuration.stopping,
            time.perf_counter() - self._began,
        )
        score = float(self.problem.reference.score(self._own))
        return explanation_of(self.problem, self._prepared, maps, score, settings)
