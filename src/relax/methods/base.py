"""Base classes of attribution methods, and the problem they solve."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import Any, ClassVar

import torch
from torch import nn

from relax._support.arguments import check_number
from relax.encoders import Encoder, Session
from relax.errors import ArgumentError
from relax.estimation.designs import Design
from relax.estimation.estimators import Estimator
from relax.estimation.loop import Loop, OnBlock, Watch
from relax.estimation.maps import Maps
from relax.estimation.stopping import Stopping
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

    def under(self, stratum: Stratum) -> Perturbed:
        """Bind the input to a stratum.

        Raises:
            ArgumentError: the stratum's fill does not support its masks or the encoder.
        """
        stratum.fill.check(stratum.masks, self.encoder)
        fill = stratum.fill.bind(self.prepared, self.modality, self.seed)
        return Perturbed(self.prepared, stratum, self.design, fill)

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
            return self, {"n_masks": max(2, forwards)}
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
                raise ArgumentError(f"method {cls.name!r} has no option {option!r}; {available}")
        return cls(**options)


class Masking(Method):
    """Base class of methods that run the masking loop; subclasses define strata and estimator.

    Attributes:
        blocks_a_turn: number of blocks of a stratum per turn of the loop.
    """

    takes_masks: ClassVar[bool] = True
    blocks_a_turn: ClassVar[int] = 1

    def strata(self, problem: Problem) -> Iterable[Perturbed]:
        """Strata of the run, created lazily; by default a single one."""
        yield problem.perturbed

    @abstractmethod
    def estimator(self, problem: Problem) -> Estimator:
        """Create an estimator for one input."""

    def finished(self, maps: Maps) -> Maps:
        """Post-process the estimator's maps; by default returns them unchanged."""
        return maps

    def estimates(self, problem: Problem) -> Iterator[Estimator]:
        """Run the loop; yield the estimator after every turn."""
        loop = Loop(
            problem.session,
            problem.reference,
            problem.stopping,
            problem.on_block,
            problem.watch,
            self.blocks_a_turn,
        )
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
