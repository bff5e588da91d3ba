"""Methods: every way to explain a representation, by name. One file a family."""

from __future__ import annotations

from relax.methods.activations import ACTIVATION_METHODS
from relax.methods.attention import ATTENTION_ROLLOUT
from relax.methods.base import Maps, Method, Problem
from relax.methods.baselines import BASELINES
from relax.methods.fine import RELAX_FINE
from relax.methods.fine_gradient import RELAX_GRADIENT
from relax.methods.gradients import GRADIENT_METHODS
from relax.methods.relax import RELAX, U_RELAX
from relax.methods.repeat import REPEAT_METHODS
from relax.methods.sensitivity import SENSITIVITY_METHODS
from relax.methods.units import UNIT_METHODS
from relax.registry import Registry

METHODS: Registry[Method] = Registry("method")
for _method in (
    RELAX,
    U_RELAX,
    RELAX_FINE,
    RELAX_GRADIENT,
    *REPEAT_METHODS,
    *UNIT_METHODS,
    *SENSITIVITY_METHODS,
    *GRADIENT_METHODS,
    *ACTIVATION_METHODS,
    ATTENTION_ROLLOUT,
    *BASELINES,
):
    METHODS.add(_method.name, _method)

__all__ = ["METHODS", "Maps", "Method", "Problem"]
