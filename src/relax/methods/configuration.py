"""The arguments of an explainer, as they apply to one modality."""

from __future__ import annotations

from dataclasses import dataclass
from numbers import Number
from typing import Any

from relax._support.arguments import integer
from relax.encoders import Encoder, Setup
from relax.errors import ArgumentError
from relax.estimation.designs import Design
from relax.estimation.stopping import FixedNumber, Stopping, UntilReliable
from relax.methods import METHODS, Method, ensure
from relax.modalities import Modality
from relax.modalities.fills import Fill
from relax.modalities.units import Masks
from relax.references import Against
from relax.references.similarity import Similarity


@dataclass(frozen=True, eq=False)
class Configuration:
    """Everything that a run over an input of one modality needs, but for the input.

    Attributes:
        encoder: for inputs of that modality.
        setup: how it is run.
        method: with its parameters.
        masks: kinds of masks that were asked for; ``None`` for the method's own.
        fills: what replaces removed units.
        against: what inputs are compared with unless a call says otherwise.
        design: which masks to try.
        stopping: how many.
        similarity: the one that was asked for; ``None`` for the reference's or the method's own.
    """

    encoder: Encoder
    setup: Setup
    method: Method
    masks: tuple[Masks, ...] | None
    fills: tuple[Fill, ...]
    against: Against
    design: Design
    stopping: Stopping
    similarity: str | Similarity | None


def method_of(method: Any, masks: Any, options: dict[str, Any], modality: Modality) -> Method:
    """The method that was asked for, or the one that goes with the masks and the modality.

    Raises:
        UnknownNameError: no such method.
        ArgumentError: it does not explain inputs of this modality, or has no such options.
    """
    if method is None:
        one_kind = masks is not None and not isinstance(masks, (list, tuple))
        method = "relax" if one_kind else modality.method
    made = ensure(method, options)
    if made.modalities is not None and modality.name not in made.modalities:
        fitting = [
            name for name, kind in METHODS.items() if kind.modalities is None or modality.name in kind.modalities
        ]
        raise ArgumentError(
            f"method {made.name!r} explains {' and '.join(made.modalities)} inputs, not {modality.name}; methods that "
            f"do: {', '.join(fitting)}"
        )
    return made


def kinds_of(masks: Any, method: Method, modality: Modality) -> tuple[Masks, ...] | None:
    """One kind of masks, several, or ``None`` for the method's own."""
    if masks is None:
        return None
    several = tuple(masks) if isinstance(masks, (list, tuple)) else (masks,)
    if not several:
        raise ArgumentError("expected at least one kind of masks, got an empty list")
    if len(several) > 1 and not method.takes_several:
        raise ArgumentError(
            f"method {method.name!r} takes one kind of masks, got {len(several)}; 'relax-fine' takes several"
        )
    return tuple(modality.masks(one) for one in several)


def fills_of(fill: Any, method: Method, modality: Modality) -> tuple[Fill, ...]:
    """One fill, several, or those of the method; a list of three numbers is a colour."""
    if fill is None:
        return tuple(modality.fill(name) for name in method.fills or (None,))
    if isinstance(fill, (list, tuple)) and not fill:
        raise ArgumentError("expected at least one fill, got an empty list; leave fill= out for the method's own")
    if isinstance(fill, (list, tuple)) and not all(isinstance(item, int) for item in fill):
        if any(not isinstance(item, str) and isinstance(item, Number) for item in fill):
            raise ArgumentError(f"expected a colour of three integers in 0-255 or a list of fills, got {fill!r}")
        if len(fill) > 1 and not method.takes_several:
            raise ArgumentError(f"method {method.name!r} takes one fill, got {len(fill)}; 'relax-fine' takes several")
        return tuple(modality.fill(item) for item in fill)
    return (modality.fill(fill),)


def stopping_of(n_masks: int | None, max_masks: int, reliability: float) -> Stopping:
    """A fixed number of masks, or as many as it takes."""
    if n_masks is None:
        return UntilReliable(reliability, integer("max_masks", max_masks))
    return FixedNumber(integer("n_masks", n_masks))
