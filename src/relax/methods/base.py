"""Base classes of attribution methods."""

from __future__ import annotations

import difflib
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields, replace
from typing import Any, ClassVar

from relax._support.arguments import check_number
from relax.errors import ArgumentError
from relax.estimation.designs import Exhaustive
from relax.estimation.estimators import Enumeration, Estimator
from relax.estimation.loop import Loop
from relax.estimation.maps import Maps
from relax.estimation.stopping import Stopping
from relax.estimation.strata import Perturbed
from relax.methods.problem import Problem
from relax.modalities.batches import Batch
from relax.modalities.units import Masks

AMOUNT = ("n_masks", "max_masks", "reliability")
"""Arguments that say how many masks, for methods that take masks."""

ARGUMENTS = (
    *AMOUNT,
    "seed",
    "masks",
    "fill",
    "similarity",
    "design",
    "batch_size",
    "precision",
    "device",
    "engine",
    "progress",
    "views",
)
"""Arguments of every explainer, for messages about a misspelt one."""


@dataclass(frozen=True)
class Method(ABC):
    """Base class of attribution methods.

    Parameters of a method are dataclass fields. To add one, subclass as a frozen dataclass, implement :meth:`run`, and
    register the class: ``relax.register("method", NAME, CLASS)``.

    Attributes:
        name: name for users.
        summary: description in one sentence.
        needs: what the method needs from an encoder: ``"forwards"``, ``"gradients"``, ``"activations"``,
            ``"attention"`` or ``"nothing"``.
        cost: number of encoder forwards and backwards per input, including its own representation, as text.
        source: publication.
        similarity: default similarity.
        compares: whether maps depend on the reference.
        takes_masks: whether ``n_masks=`` of :func:`relax.explain` sets the amount of work.
        takes_several: whether the method takes several kinds of masks and several fills.
        enumerates: whether to try all masks, once each, of an input with few units; not if masks are resampled.
        regresses: whether the method regresses scores on masks, whose units need not be kept independently then.
        observable: whether every block keeps each part in half of its masks, so that ``watch`` callbacks can reuse the
            forwards.
        modalities: names of supported modalities; ``None`` for all with units.
        fills: names of the default fills; ``None`` for the modality's default.
        samples: name of the field with the number of samples, for compute budgets; ``None`` without one.
        sample_cost: cost of a sample in forwards, where a backward counts as two.
        target: default reliability of an adaptive run.
        limit: default maximum number of masks of an adaptive run.
    """

    name: ClassVar[str]
    summary: ClassVar[str]
    needs: ClassVar[str] = "forwards"
    cost: ClassVar[str] = "n_masks + 1"
    source: ClassVar[str] = ""
    similarity: ClassVar[str] = "cosine"
    compares: ClassVar[bool] = True
    takes_masks: ClassVar[bool] = False
    takes_several: ClassVar[bool] = False
    enumerates: ClassVar[bool] = True
    regresses: ClassVar[bool] = False
    observable: ClassVar[bool] = False
    modalities: ClassVar[tuple[str, ...] | None] = None
    fills: ClassVar[tuple[str, ...] | None] = None
    samples: ClassVar[str | None] = None
    sample_cost: ClassVar[float] = 1.0
    target: ClassVar[float] = 0.98
    limit: ClassVar[int] = 3000

    def __post_init__(self) -> None:
        for item in fields(self):
            check_number(item.name, getattr(self, item.name), item.default)
        self.check()

    def check(self) -> None:  # noqa: B027
        """Validate the parameters; by default accepts any.

        Raises:
            ArgumentError: a parameter is out of range.
        """

    @abstractmethod
    def run(self, problem: Problem) -> Maps:
        """Explain one input.

        Args:
            problem: the input, and everything needed to explain it.

        Returns:
            Maps of the shape of a mask, ``(H, W)`` for images.

        Raises:
            ArgumentError: the method does not support this encoder, input or reference.
            EncoderError: representations or scores are not finite.
        """

    def progressive(self, problem: Problem) -> Iterator[Maps]:
        """Yield increasingly accurate maps; the last equals that of :meth:`run`. By default yields only that one."""
        yield self.run(problem)

    def probe(self, problem: Problem, n: int) -> Batch:
        """A sample of what the method will encode, to choose a precision; by default the unmasked input.

        Args:
            problem: the input, and everything needed to explain it.
            n: maximum number of rows.
        """
        return problem.whole()

    def kinds(self, problem: Problem) -> tuple[Masks, ...]:
        """Kinds of masks the method applies to an input."""
        return (problem.kind,)

    def options(self) -> dict[str, Any]:
        """Parameters by name."""
        return {item.name: getattr(self, item.name) for item in fields(self)}

    @property
    def score_similarity(self) -> str:
        """Default similarity of this method, or of the method that it wraps."""
        return self.similarity

    def within(self, forwards: int, n_units: int) -> tuple[Method, dict[str, Any]]:
        """Fit the method to a compute budget.

        Args:
            forwards: budget in forwards; a backward counts as two.
            n_units: number of units of the masks.

        Returns:
            The method with an adjusted number of samples, and arguments of :func:`relax.explain` (``{"n_masks": ...}``
            for methods that take masks, else empty). A method of fixed cost is returned unchanged.
        """
        if self.takes_masks:
            return self, {"n_masks": max(2, int(forwards / self.sample_cost))}
        if self.samples is None:
            return self, {}
        return replace(self, **{self.samples: self.affordable(forwards, n_units)}), {}

    def affordable(self, forwards: int, n_units: int) -> int:
        """Number of samples within a compute budget.

        Args:
            forwards: budget in forwards.
            n_units: number of units of the masks.
        """
        return max(2, int(forwards / self.sample_cost))

    @classmethod
    def made(cls, options: dict[str, Any]) -> Method:
        """Build the method from options.

        Raises:
            ArgumentError: the method has no such option, or its value is out of range.
        """
        names = [item.name for item in fields(cls)]
        for option in options:
            if option not in names:
                available = f"it has: {', '.join(names)}" if names else "it has none"
                meant = difflib.get_close_matches(option, [*names, *ARGUMENTS], n=1)
                hint = f". Did you mean {meant[0]!r}?" if meant else ""
                raise ArgumentError(f"method {cls.name!r} has no option {option!r}; {available}{hint}")
        return cls(**options)


class Masking(Method):
    """Base class of methods that run the masking loop; subclasses define strata and estimator.

    Attributes:
        blocks_a_turn: number of blocks of a stratum per turn of the loop.
        slopes: whether the estimator takes derivatives of the scores.
    """

    takes_masks: ClassVar[bool] = True
    blocks_a_turn: ClassVar[int] = 1
    slopes: ClassVar[bool] = False

    def strata(self, problem: Problem) -> Iterable[Perturbed]:
        """Strata of the run, created lazily; by default a single one."""
        yield problem.perturbed

    @abstractmethod
    def estimator(self, problem: Problem) -> Estimator:
        """Create an estimator for one input."""

    def stopping(self, problem: Problem) -> Stopping:
        """When to stop; by default as asked for."""
        return problem.stopping

    def finished(self, maps: Maps) -> Maps:
        """Post-process the estimator's maps; by default returns them unchanged."""
        return maps

    def estimates(self, problem: Problem) -> Iterator[Estimator]:
        """Run the loop; yield the estimator after every turn."""
        exhaustive = isinstance(problem.design, Exhaustive)
        loop = Loop(
            problem.session,
            problem.reference,
            self.stopping(problem),
            problem.on_block,
            problem.watch,
            1 if exhaustive else self.blocks_a_turn,
            self.slopes and not exhaustive,
        )
        if exhaustive:
            return loop.run((problem.perturbed,), Enumeration(problem.stopping.wanted))
        return loop.run(self.strata(problem), self.estimator(problem))

    def run(self, problem: Problem) -> Maps:
        last = deque(self.estimates(problem), maxlen=1)
        if not last:
            raise ArgumentError(f"method {self.name!r} has no masks for this input; pass masks=")
        estimator = last.pop()
        return self.finished(estimator.maps(problem.signed))

    def progressive(self, problem: Problem) -> Iterator[Maps]:
        return (self.finished(estimator.maps(problem.signed)) for estimator in self.estimates(problem))

    def probe(self, problem: Problem, n: int) -> Batch:
        """The input under the first masks of the first stratum."""
        perturbed = problem.perturbed
        block = perturbed.block(0)[slice(n)]
        return perturbed.fill.apply(perturbed.prepared, perturbed.units, block.to(problem.session.device))
