"""Arguments of an explainer, resolved for one modality."""

from __future__ import annotations

from dataclasses import dataclass
from numbers import Number
from typing import Any

from relax._support.arguments import integer
from relax._support.warning import warn
from relax.encoders import Encoder, Setup
from relax.errors import ArgumentError
from relax.estimation import designs
from relax.estimation.designs import AllSizes, Design
from relax.estimation.stopping import FixedNumber, Stopping, UntilReliable
from relax.methods import METHODS, Method, ensure
from relax.modalities import Modality
from relax.modalities.fills import Fill
from relax.modalities.units import Masks
from relax.references import Against
from relax.references import similarity as similarity_
from relax.references.similarity import Similarity


@dataclass(frozen=True, eq=False)
class Configuration:
    """Everything that a run needs, except for the input.

    Attributes:
        encoder: encoder for inputs of the modality.
        setup: device, precision and batch size of the encoder.
        method: the configured method.
        masks: kinds of masks requested by the user; ``None`` for the method's own.
        fills: replace removed units; at least one.
        against: what to compare inputs with, unless a call overrides it.
        design: draws the masks.
        stopping: decides when there are enough masks.
        similarity: similarity requested by the user; ``None`` for that of the reference or the method.
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

    def settings(self) -> dict[str, Any]:
        """JSON-able description, the same for all inputs; ``masks`` and ``similarity`` of ``None`` are the method's."""
        options = self.method.options()
        plain = (type(None), str, int, float)
        return {
            "method": self.method.name,
            "options": {name: value if isinstance(value, plain) else repr(value) for name, value in options.items()},
            "modality": self.encoder.modality.name,
            "masks": None if self.masks is None else [kind.settings() for kind in self.masks],
            "fill": [fill.settings() for fill in self.fills],
            "against": None if self.against.itself else self.against.settings(),
            "similarity": None if self.similarity is None else similarity_.name_of(self.similarity),
            "design": designs.name_of(self.design),
            "stopping": self.stopping.settings() if self.method.takes_masks else None,
        }

    def check(self, against: Against) -> None:
        """Warn about arguments that have no effect with a reference."""
        if not self.method.compares and not against.itself:
            warn(
                f"method {self.method.name!r} does not look at what the input is compared with; against= has no effect"
            )
        if self.similarity is not None and against.similarity not in (None, self.similarity):
            warn(
                f"similarity={similarity_.name_of(self.similarity)!r} has no effect: {against.settings()['source']} "
                "defines its own score"
            )


def method_of(method: Any, options: dict[str, Any], modality: Modality) -> Method:
    """Resolve the requested method, or the modality's default.

    Args:
        method: name, class or instance; ``None`` for the default.
        options: options of the method.
        modality: modality of the inputs.

    Raises:
        UnknownNameError: there is no method of this name.
        ArgumentError: the method does not support the modality, or does not take these options.
    """
    if method is None:
        method = modality.method
    resolved = ensure(method, options)
    innermost: Method = getattr(resolved, "repeated", resolved)
    if not _explains(innermost, modality):
        supported = ", ".join(name for name, kind in METHODS.items() if _explains(kind, modality))
        if innermost.modalities is None:
            reason = f"needs {innermost.needs} with respect to real numbers, which {modality.name} inputs are not"
        else:
            reason = f"explains {' and '.join(innermost.modalities)} inputs, not {modality.name}"
        raise ArgumentError(f"method {resolved.name!r} {reason}; available: {supported}")
    return resolved


def _explains(method: Method | type[Method], modality: Modality) -> bool:
    """Whether a method explains inputs of a modality."""
    if method.modalities is None:
        return modality.differentiable or method.needs not in ("gradients", "activations", "attention")
    return modality.name in method.modalities


def design_of(design: Design, method: Method) -> Design:
    """The requested design, if the method can do with its masks.

    Raises:
        ArgumentError: the method takes moments, which masks of all sizes do not have.
    """
    if isinstance(design, AllSizes) and not method.regresses:
        raise ArgumentError(
            f"design='all-sizes' is for regressions, and method {method.name!r} is not one; use "
            "method='relax-regression', or design='foldover'"
        )
    return design


def kinds_of(masks: Any, method: Method, modality: Modality) -> tuple[Masks, ...] | None:
    """Resolve one or several kinds of masks; ``None`` stays ``None`` and means the method's own.

    Raises:
        UnknownNameError: there are no masks of this name.
        ArgumentError: the list is empty, or the method or the modality does not support these masks.
    """
    if masks is None:
        return None
    requested = tuple(masks) if isinstance(masks, (list, tuple)) else (masks,)
    if not requested:
        raise ArgumentError("expected at least one kind of masks, got an empty list")
    if len(requested) > 1 and not method.takes_several:
        raise ArgumentError(
            f"method {method.name!r} takes one kind of masks, got {len(requested)}; 'relax-regression' takes several"
        )
    return tuple(modality.masks(item) for item in requested)


def fills_of(fill: Any, method: Method, modality: Modality) -> tuple[Fill, ...]:
    """Resolve one or several fills; ``None`` means the method's own, and a list of integers is a colour.

    Raises:
        UnknownNameError: there is no fill of this name.
        ArgumentError: the list is empty, or the method or the modality does not support these fills.
    """
    if fill is None:
        several = modality.several_fills if method.takes_several else (None,)
        return tuple(modality.fill(name) for name in method.fills or several)
    if isinstance(fill, (list, tuple)) and not fill:
        raise ArgumentError("expected at least one fill, got an empty list; omit fill= for the method's own")
    if isinstance(fill, (list, tuple)) and not all(isinstance(item, int) for item in fill):
        if any(not isinstance(item, str) and isinstance(item, Number) for item in fill):
            raise ArgumentError(f"expected a colour of three integers in 0-255 or a list of fills, got {fill!r}")
        if len(fill) > 1 and not method.takes_several:
            raise ArgumentError(
                f"method {method.name!r} takes one fill, got {len(fill)}; 'relax-regression' takes several"
            )
        names = [item for item in fill if isinstance(item, str)]
        if len(set(names)) < len(names):
            raise ArgumentError(f"expected different fills, got {', '.join(map(repr, names))}")
        return tuple(modality.fill(item) for item in fill)
    return (modality.fill(fill),)


def stopping_of(
    n_masks: int | None,
    max_masks: int | None,
    reliability: float | None,
    method: type[Method] | Method,
    enumerated: int = 0,
) -> Stopping:
    """Stopping rule for a fixed number of masks, or for an adaptive run if ``n_masks`` is ``None``.

    Args:
        n_masks: the number of masks.
        max_masks: limit of an adaptive run; ``None`` for the method's own.
        reliability: target of an adaptive run; ``None`` for the method's own.
        method: the method.
        enumerated: number of masks up to which the modality tries all; 0 for never.

    Raises:
        ArgumentError: a number of masks or the reliability is out of range.
    """
    if n_masks is None:
        limit = method.limit if max_masks is None else integer("max_masks", max_masks)
        enumerated = enumerated if max_masks is None else min(enumerated, limit)
        target = method.target if reliability is None else reliability
        return UntilReliable(target, limit, enumerated=enumerated)
    number = integer("n_masks", n_masks)
    return FixedNumber(number, number if enumerated else 0)


def note_unused(method: Method, n_masks: int | None, max_masks: int | None, reliability: float | None) -> None:
    """Warn of what was said on the number of masks and has no effect.

    Args:
        method: the method.
        n_masks: the number of masks.
        max_masks: limit of an adaptive run.
        reliability: target of an adaptive run.
    """
    amount = {"n_masks": n_masks, "max_masks": max_masks, "reliability": reliability}
    given = [name for name, value in amount.items() if value is not None]
    if given and not method.takes_masks:
        options, names = ", ".join(method.options()) or "none", " and ".join(given)
        warn(f"method {method.name!r} does not take {names}; set the amount of work by its own options: {options}")
    elif n_masks is not None and len(given) > 1:
        names = " and ".join(given[1:])
        warn(f"n_masks={n_masks} sets the number of masks; {names} would stop an adaptive run, without n_masks")
