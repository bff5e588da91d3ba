"""What a method is: a frozen, typed object with its parameters that explains one input."""

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
    """One input with everything that a method may ask for.

    Attributes:
        encoder: what is explained.
        session: the encoder at work.
        prepared: the input, on the session's device.
        reference: what its representation is compared with.
        design: which masks to try.
        stopping: how many.
        seed: of everything random.
        masks: kinds of masks that were asked for; ``None`` for the method's own.
        fills: what replaces removed units, at least one.
        on_block: to be called after each turn of the loop.
        signed: whether parts of the input may also push away from the reference.
        watch: to be called with every block of masks that was tried.
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
        """Of the input."""
        return self.encoder.modality

    @cached_property
    def perturbed(self) -> Perturbed:
        """The input under the first kind of masks, or the modality's own, and the first fill."""
        return self.under(Stratum(self.kind, self.fills[0], seed=self.seed))

    @property
    def kind(self) -> Masks:
        """The first kind of masks that was asked for, or the modality's own."""
        return self.masks[0] if self.masks else self.modality.masks(None)

    def under(self, stratum: Stratum) -> Perturbed:
        """The input under a stratum."""
        stratum.fill.check(stratum.masks, self.encoder)
        fill = stratum.fill.bind(self.prepared, self.modality, self.seed)
        return Perturbed(self.prepared, stratum, self.design, fill)

    def module(self, method: str, instead: str) -> nn.Module:
        """The encoder's model, for methods that look inside it.

        Args:
            method: name, for messages.
            instead: what to do where it cannot be looked into.

        Raises:
            ArgumentError: the model is no plain ``nn.Module``.
        """
        model, name = self.encoder.model, self.encoder.name
        if not isinstance(model, nn.Module):
            raise ArgumentError(
                f"method {method!r} needs an nn.Module, {name!r} is a {type(model).__name__}; {instead}"
            )
        if isinstance(model, torch.jit.ScriptModule) or hasattr(model, "_orig_mod"):
            raise ArgumentError(
                f"method {method!r} looks inside the model, which a scripted or compiled one hides; give the module as "
                f"it was before, or: {instead}"
            )
        return model

    def whole(self) -> Batch:
        """The unmasked input as a batch of one, a copy."""
        return self.modality.collate([self.prepared])


@dataclass(frozen=True)
class Method(ABC):
    """A way to explain; its parameters are fields, and a name is short for one with its defaults.

    Subclass it as a frozen dataclass, say :meth:`run`, and register it by ``relax.register("method", NAME, CLASS)``.

    Attributes:
        name: what users call it.
        summary: one sentence.
        needs: what it asks of an encoder: ``"forwards"``, ``"gradients"``, ``"activations"``, ``"attention"`` or
            ``"nothing"``.
        cost: encoder forwards and backwards for one input, its own representation included, in words.
        source: where it was published.
        similarity: the similarity that it uses unless another is asked for.
        compares: whether its maps depend on what the input is compared with.
        takes_masks: whether ``n_masks=`` of :func:`relax.explain` says how much work it does.
        takes_several: whether it takes several kinds of masks and several fills.
        observable: whether its masks are blocks of one stratum, so that regions and shares come from the same forwards.
        modalities: names of those that it supports; ``None`` for any that has units.
        fills: what it removes units with, unless a fill is asked for; ``None`` for the modality's own.
        samples: the field that says how many samples it takes, for budgets; ``None`` where it has none.
        sample_cost: forwards a sample, a backward counted as two.
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

    def __post_init__(self) -> None:
        for item in fields(self):
            check_number(item.name, getattr(self, item.name), item.default)
        self.check()

    def check(self) -> None:  # noqa: B027
        """Raise :class:`relax.ArgumentError` if a parameter is out of range; here any will do."""

    @abstractmethod
    def run(self, problem: Problem) -> Maps:
        """Explain one input."""

    def progressive(self, problem: Problem) -> Iterator[Maps]:
        """Ever better maps of one input, the last of them what :meth:`run` returns; here that one alone."""
        yield self.run(problem)

    def probe(self, problem: Problem, n: int) -> Batch:
        """At most ``n`` rows of what will be encoded, for the choice of a precision; here the whole input."""
        return problem.whole()

    def kinds(self, problem: Problem) -> tuple[Masks, ...]:
        """The kinds of masks that are tried on an input."""
        return (problem.kind,)

    def options(self) -> dict[str, Any]:
        """The parameters by name."""
        return {item.name: getattr(self, item.name) for item in fields(self)}

    @property
    def score_similarity(self) -> str:
        """The similarity of this method, or of the method that it repeats."""
        return self.similarity

    def within(self, forwards: int, n_units: int) -> tuple[Method, dict[str, Any]]:
        """The method and arguments of :func:`relax.explain` with which it does about that many forwards.

        Args:
            forwards: to be used; a backward counts as two.
            n_units: of the masks.

        Returns:
            The method with as many samples, and ``{"n_masks": forwards}`` where that is what says how much it does. A
            method that has no number to choose comes back as it is.
        """
        if self.takes_masks:
            return self, {"n_masks": max(2, forwards)}
        if self.samples is None:
            return self, {}
        return replace(self, **{self.samples: self.affordable(forwards, n_units)}), {}

    def affordable(self, forwards: int, n_units: int) -> int:
        """Samples within a number of forwards."""
        return max(2, int(forwards / self.sample_cost))

    @classmethod
    def made(cls, options: dict[str, Any]) -> Method:
        """The method with some of its parameters given.

        Raises:
            ArgumentError: it has no such parameter; the message lists those it has.
        """
        known = [item.name for item in fields(cls)]
        for option in options:
            if option not in known:
                has = f"it has: {', '.join(known)}" if known else "it has none"
                raise ArgumentError(f"method {cls.name!r} has no option {option!r}; {has}")
        return cls(**options)


class Masking(Method):
    """A method whose strata are tried by the loop: it says which, and by what estimator."""

    takes_masks: ClassVar[bool] = True
    blocks_a_turn: ClassVar[int] = 1

    def strata(self, problem: Problem) -> Iterable[Perturbed]:
        """The strata, asked for as their turn comes; here the problem's one."""
        yield problem.perturbed

    @abstractmethod
    def estimator(self, problem: Problem) -> Estimator:
        """A new estimator for one input."""

    def finished(self, maps: Maps) -> Maps:
        """The maps as the method returns them; here as the estimator gives them."""
        return maps

    def estimates(self, problem: Problem) -> Iterator[Estimator]:
        """The estimator after every turn of the loop."""
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
            raise ArgumentError(f"method {self.name!r} has no strata for this input; give masks=")
        estimator = last.pop()
        return self.finished(estimator.maps(problem.signed))

    def progressive(self, problem: Problem) -> Iterator[Maps]:
        return (self.finished(estimator.maps(problem.signed)) for estimator in self.estimates(problem))

    def probe(self, problem: Problem, n: int) -> Batch:
        """The first masks of the first stratum."""
        perturbed = problem.perturbed
        block = perturbed.block(0)[slice(n)]
        return perturbed.fill.apply(perturbed.prepared, perturbed.units, block.to(problem.session.device))
