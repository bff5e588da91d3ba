"""What each method of a run is called with: its own parameters, the run's arguments and the budget."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from relax.errors import ArgumentError
from relax.explainer import Explainer
from relax.methods import METHODS, Method, ensure

ARGUMENTS = frozenset(inspect.signature(Explainer).parameters) - {"encoder", "against", "method", "seed", "options"}
"""Arguments of Explainer that a run may set."""


@dataclass(frozen=True)
class Plan:
    """A method with the options that were named for it.

    Attributes:
        method: the method, with its parameters.
        arguments: arguments of :class:`relax.Explainer` for this method only, such as ``n_masks``.
        named: names of the options; the budget leaves them as they are.
    """

    method: Method
    arguments: Mapping[str, Any] = field(default_factory=dict)
    named: frozenset[str] = frozenset()

    @classmethod
    def of(cls, method: str | Method, options: Mapping[str, Any]) -> Plan:
        """Split options into parameters of the method and arguments of Explainer.

        Args:
            method: a name or an instance; the parameters of an instance count as named.
            options: by name.

        Raises:
            UnknownNameError: there is no method of this name.
            ArgumentError: neither the method nor Explainer has one of the options.
        """
        kind = type(method) if isinstance(method, Method) else METHODS[method]
        own = {item.name for item in fields(kind)}
        arguments = {name: value for name, value in options.items() if name in ARGUMENTS - own}
        if "n_masks" in arguments and not kind.takes_masks:
            raise ArgumentError(f"method {kind.name!r} does not take n_masks; its parameters: {', '.join(sorted(own))}")
        parameters = {name: value for name, value in options.items() if name not in arguments}
        made = ensure(method, parameters)
        return cls(made, arguments, frozenset(options) | (own if isinstance(method, Method) else frozenset()))

    def within(self, budget: int | None, n_units: int) -> tuple[Method, dict[str, Any]]:
        """The method and its arguments, fitted to a budget.

        Args:
            budget: forward passes; ``None`` for the method's own number.
            n_units: number of units of the masks.
        """
        if budget is None or (self.method.samples or "n_masks") in self.named:
            return self.method, dict(self.arguments)
        method, budgeted = self.method.within(budget, n_units)
        return method, {**budgeted, **self.arguments}

    def described(self) -> dict[str, Any]:
        """JSON-serialisable parameters and arguments."""
        options = {**self.method.options(), **self.arguments}
        return {name: options[name] if _plain(options[name]) else repr(options[name]) for name in sorted(options)}


def _plain(value: Any) -> bool:
    return value is None or isinstance(value, (bool, int, float, str))
