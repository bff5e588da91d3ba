"""What a method is: a recipe over the nouns, found by name."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass, field
from math import nan
from typing import Any

import numpy as np
from torch import Tensor

from relax import loop
from relax.designs import Design
from relax.encoders import Session
from relax.errors import ArgumentError
from relax.loop import Masked, OnBlock
from relax.masks import Masks
from relax.moments import Moments
from relax.references import Reference
from relax.stopping import Stopping


@dataclass(frozen=True, eq=False)
class Problem:
    """One input with everything that a method may ask for.

    Attributes:
        session: the encoder at work.
        masked: the input.
        reference: what its representation is compared with.
        design: which masks to try.
        stopping: how many.
        seed: of everything random.
        on_block: to be called after each block.
        signed: whether parts of the input may also push away from the reference.
        others: the input with further fills, for methods that take several.
        kinds: of masks, the first of them those of ``masked``, for methods that take several.
    """

    session: Session
    masked: Masked
    reference: Reference
    design: Design
    stopping: Stopping
    seed: int
    on_block: OnBlock | None
    signed: bool = False
    others: tuple[Masked, ...] = ()
    kinds: tuple[Masks, ...] = ()

    @property
    def filled(self) -> tuple[Masked, ...]:
        """The input with each of the fills."""
        return (self.masked, *self.others)

    def moments(self, into: Moments | None = None) -> Moments:
        """Run the loop; the moments of all masks, added to those that are given."""
        return loop.run(
            self.session,
            self.masked,
            self.reference,
            self.design,
            self.stopping,
            self.seed,
            self.on_block,
            into,
        )


@dataclass(frozen=True, eq=False)
class Maps:
    """What a method returns: ``(H, W)`` float64 maps and what they rest on.

    Attributes:
        importance: the map.
        uncertainty: spread of the importance or of the score, where the method has one.
        standard_error: Monte-Carlo error of the importance, where the method has one.
        units: of each map, where they are not the score's own.
        signed: whether there is a neutral value, below which a pixel pushes the score down.
        neutral: that value, where there is one.
        n_masks: perturbed inputs that were tried.
        n_blocks: blocks of them.
        degrees_of_freedom: of the standard error.
        reliability: estimated correlation with the converged map.
    """

    importance: np.ndarray
    uncertainty: np.ndarray | None = None
    standard_error: np.ndarray | None = None
    units: dict[str, str] = field(default_factory=dict)
    signed: bool = False
    neutral: float = 0.0
    n_masks: int = 0
    n_blocks: int = 0
    degrees_of_freedom: int = 0
    reliability: float = nan

    @classmethod
    def of(cls, moments: Moments) -> Maps:
        """The three maps of the moments of all masks; the mean score is neutral."""
        return cls(
            importance=moments.importance().cpu().numpy(),
            uncertainty=moments.uncertainty().cpu().numpy(),
            standard_error=moments.standard_error().cpu().numpy(),
            n_masks=moments.n_masks,
            n_blocks=moments.n_blocks,
            degrees_of_freedom=moments.degrees_of_freedom,
            reliability=moments.reliability(),
            neutral=moments.mean_score(),
        )


Budget = Callable[[int, int], dict[str, Any]]


def budget(option: str, cost: float = 1.0, least: int = 2) -> Budget:
    """A budget for a method with a number of samples.

    Args:
        option: that says how many.
        cost: forwards a sample, a backward counted as two.
        least: samples that it needs.
    """
    return lambda forwards, n_units: {option: max(least, int(forwards / cost))}


@dataclass(frozen=True)
class Method:
    """A way to explain.

    Attributes:
        name: what users call it.
        summary: one sentence.
        needs: what it asks of an encoder: ``"forwards"``, ``"gradients"``, ``"activations"`` or ``"attention"``.
        cost: encoder forwards and backwards for one input, its own representation included.
        source: where it was published.
        run: the recipe, ``run(problem, **options)``.
        similarity: the similarity that it uses unless another is asked for.
        compares: whether its maps depend on what the input is compared with.
        fills: what it removes parts with, unless a fill is asked for.
        kinds: for methods that take several kinds of masks and several fills: its own ones for a model-ready input.
        budget: from forwards and the number of units to arguments that keep to them; ``None`` if it has no choice.
    """

    name: str
    summary: str
    needs: str
    cost: str
    source: str
    run: Callable[..., Maps]
    similarity: str = "cosine"
    budget: Budget | None = None
    compares: bool = True
    fills: tuple[str, ...] = ("mean",)
    kinds: Callable[[Tensor], tuple[Masks, ...]] | None = None

    @property
    def takes_masks(self) -> bool:
        """Whether ``n_masks=`` of :func:`relax.explain` says how much work it does."""
        return "n_masks" in self.within(1000, 49)

    def within(self, forwards: int, n_units: int) -> dict[str, Any]:
        """Arguments of :func:`relax.explain` with which the method does about that many forwards.

        A backward counts as two forwards. Empty for a method that has no number to choose.

        Args:
            forwards: to be used.
            n_units: of the masks.
        """
        return {} if self.budget is None else self.budget(forwards, n_units)

    def options(self, given: dict[str, Any]) -> dict[str, Any]:
        """The method's own options with their defaults, those that are given put in.

        Raises:
            ArgumentError: it has no such option; the message lists those it has.
        """
        parameters = inspect.signature(self.run).parameters
        known = {name: p.default for name, p in parameters.items() if p.kind is inspect.Parameter.KEYWORD_ONLY}
        for name in given:
            if name not in known:
                has = f"it has: {', '.join(known)}" if known else "it has none"
                raise ArgumentError(f"method {self.name!r} has no option {name!r}; {has}")
            _check_kind(name, given[name], known[name])
        return {**known, **given}


def _check_kind(name: str, value: Any, default: Any) -> None:
    """Raise if a number is expected and something else is given."""
    if isinstance(default, bool) or not isinstance(default, (int, float)):
        return
    whole = isinstance(default, int)
    words = "a whole number" if whole else "a number"
    if isinstance(value, bool) or not isinstance(value, int if whole else (int, float)):
        raise ArgumentError(f"expected `{name}` to be {words}, got {value!r}")
