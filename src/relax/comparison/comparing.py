"""Compare encoders and methods on one input: maps side by side, and their agreement."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from relax.comparison.results import Comparison
from relax.encoders import named
from relax.errors import ArgumentError, EncoderError, InputError
from relax.explainer import Explainer
from relax.methods import Method, ensure
from relax.methods import named as methods_by_name
from relax.methods.base import AMOUNT


def compare(
    encoders: Sequence[Any] | Mapping[str, Any],
    source: Any,
    methods: Sequence[str | Method] = ("relax-regression",),
    against: Any = None,
    *,
    options: Mapping[str, Mapping[str, Any]] | None = None,
    **arguments: Any,
) -> Comparison:
    """Explain one input with every encoder and method.

    Args:
        encoders: names for :func:`relax.load_encoder`, Encoders, modules or callables; or a mapping of names to them.
        source: the input.
        methods: names from ``relax list methods``, or method instances; further instances of one method get a
            numeric suffix.
        against: the reference, as in :func:`relax.explain`.
        options: parameters by method name, such as ``{"smoothgrad": {"n_samples": 16}}``.
        arguments: further arguments of :class:`relax.Explainer`, for all methods.

    Raises:
        ArgumentError: no encoder or method is given, a name or option is unknown, or no method supports any of the
            encoders.
        InputError: the source is not a single readable input.
    """
    methods = [methods] if isinstance(methods, (str, Method)) else list(methods)
    encoders = [encoders] if isinstance(encoders, str) else encoders
    if not encoders or not methods:
        raise ArgumentError("expected at least one encoder and one method")
    options = options or {}
    instances = {
        label: ensure(method, dict(options.get(method, {})) if isinstance(method, str) else {})
        for label, method in methods_by_name(methods).items()
    }
    for method_name, parameters in options.items():  # validate names and options up front
        ensure(method_name, dict(parameters))
        if method_name not in methods:
            among = ", ".join(instances)
            raise ArgumentError(f"options for {method_name!r}, which is not among the methods: {among}")
    amount = {name: arguments.pop(name) for name in AMOUNT if name in arguments}
    explanations, refused = {}, {}
    for name, encoder in named(encoders).items():
        if encoder.split(source) is not None:
            raise InputError("compare() takes one input, got several; give a single input, not a list or a batch")
        for label, method in instances.items():
            try:
                supported = {**arguments, **(amount if method.takes_masks else {})}
                explanations[name, label] = Explainer(encoder, against, method=method, **supported)(source)
            except (ArgumentError, EncoderError) as error:  # such as gradients of a black box
                refused[name, label] = str(error)
    if not explanations:
        raise ArgumentError(f"no method supports any of the encoders: {next(iter(refused.values()))}")
    return Comparison(explanations, refused)
