"""Compare encoders and methods on one input: maps side by side, and how far they agree."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from relax.comparison.results import Comparison
from relax.encoders import named
from relax.errors import ArgumentError, EncoderError, InputError
from relax.explainer import Explainer
from relax.methods import Method, ensure


def compare(
    encoders: Sequence[Any] | Mapping[str, Any],
    source: Any,
    methods: Sequence[str | Method] = ("relax",),
    against: Any = None,
    *,
    options: Mapping[str, Mapping[str, Any]] | None = None,
    **arguments: Any,
) -> Comparison:
    """Explain one input with every encoder and method.

    Args:
        encoders: names for :func:`load_encoder`, Encoders, modules or callables; or a mapping of names to them.
        source: the input.
        methods: names from ``relax list methods``, or methods with their parameters.
        against: another input, as in :func:`explain`.
        options: of each method, by its name: ``{"smoothgrad": {"n_samples": 16}}``.
        arguments: of :class:`relax.Explainer`, for all methods.

    Raises:
        ArgumentError: no encoder, no method, or none of the methods can serve any of the encoders.
    """
    asked = [methods] if isinstance(methods, (str, Method)) else list(methods)
    encoders = [encoders] if isinstance(encoders, str) else encoders
    if not encoders or not asked:
        raise ArgumentError("expected at least one encoder and one method")
    options = options or {}
    made = [ensure(method, dict(options.get(method, {})) if isinstance(method, str) else {}) for method in asked]
    for named_method in options:
        ensure(
            named_method, dict(options[named_method])
        )  # a wrong option is said before any work, and a wrong name too
    n_masks = arguments.pop("n_masks", None)
    explanations, refused = {}, {}
    for name, encoder in named(encoders).items():
        if encoder.split(source) is not None:
            raise InputError("compare() takes one input; give a single input, not a list or a batch")
        for method in made:
            try:
                own = {**arguments, **({"n_masks": n_masks} if method.takes_masks else {})}
                explanations[name, method.name] = Explainer(encoder, against, method=method, **own)(source)
            except (ArgumentError, EncoderError) as error:  # such as gradients of a black box
                refused[name, method.name] = str(error)
    if not explanations:
        raise ArgumentError(f"none of the methods serves any of the encoders: {next(iter(refused.values()))}")
    return Comparison(explanations, refused)
