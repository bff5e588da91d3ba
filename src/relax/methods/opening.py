"""One run: from a configuration and an input to a problem, and from maps to an Explanation."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace

from relax.encoders import Session
from relax.errors import ArgumentError
from relax.estimation.designs import AllSizes
from relax.estimation.loop import OnBlock, Watch
from relax.estimation.maps import Maps
from relax.explanation import Explanation
from relax.methods import Problem
from relax.methods.configuration import Configuration
from relax.methods.provenance import explanation_of, settings_of
from relax.methods.work import work_of
from relax.modalities import Prepared
from relax.modalities.batches import Batch
from relax.references import Against, Context
from relax.references.base import Unset


class Opened:
    """One input bound to a configuration.

    Chooses the session's precision, encodes the input and builds its reference.

    Args:
        configuration: configuration for the input's modality.
        session: running session of the encoder.
        prepared: the input.
        against: what to compare it with.
        seed: random seed of the run.
        watch: callbacks, called with every scored block of masks.
        on_block: callback after each turn of the loop.

    Attributes:
        problem: the problem for the method to solve.
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
        self._start = time.perf_counter()
        self._configuration, self._prepared, self._against = configuration, prepared, against
        encoder, method = configuration.encoder, configuration.method
        if watch and isinstance(configuration.design, AllSizes):
            raise ArgumentError("regions and shares need masks that keep units independently; use design='foldover'")
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
        problem = replace(problem, prepared=encoder.modality.divided(problem.prepared, method.kinds(problem)))
        if method.takes_masks:
            problem = problem.enumerated(method.enumerates)

        def probe(n: int) -> Batch:
            return method.probe(problem, n)

        session.settle_precision(probe)
        work = work_of(method, problem)
        resumed = work.inside is None and session.resume(problem.whole())
        self._representation = session.encode(problem.whole())  # its time tells whether an engine would pay
        if not resumed and session.decide(probe, work):
            self._representation = session.encode_again(problem.whole())
        self._similarity = configuration.similarity or against.similarity or method.score_similarity
        context = Context(encoder, session, self._representation[0], self._similarity)
        self.problem = replace(problem, reference=against.reference(context))

    def explanation(self, maps: Maps) -> Explanation:
        """Build the Explanation from maps of this input."""
        settings = settings_of(
            self._configuration.method,
            self.problem,
            self._against,
            self._similarity,
            self._configuration.stopping,
            time.perf_counter() - self._start,
        )
        return explanation_of(self.problem, self._prepared, maps, self._representation, settings)
