"""Attribution methods by name, one file per family."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from relax._support.registry import Registry
from relax.errors import ArgumentError
from relax.estimation.maps import Maps
from relax.methods.base import Masking, Method
from relax.methods.problem import Problem

METHODS: Registry[type[Method]] = Registry(
    "method",
    {
        "relax": "relax.methods.relax:Relax",
        "u-relax": "relax.methods.relax:URelax",
        "relax-regression": "relax.methods.regression:RelaxRegression",
        "relax-gradient": "relax.methods.regression:RelaxGradient",
        "relax-crossfit": "relax.methods.regression:RelaxCrossFitted",
        "repeat": "relax.methods.repeat:Repeat",
        "repeat-weighted": "relax.methods.repeat:RepeatWeighted",
        "occlusion": "relax.methods.units:Occlusion",
        "kernel-shap": "relax.methods.units:KernelShap",
        "lime": "relax.methods.units:Lime",
        "shapley-sampling": "relax.methods.units:ShapleySampling",
        "sobol": "relax.methods.sensitivity:Sobol",
        "hsic": "relax.methods.sensitivity:Hsic",
        "saliency": "relax.methods.gradients:Saliency",
        "input-x-gradient": "relax.methods.gradients:InputXGradient",
        "smoothgrad": "relax.methods.gradients:SmoothGrad",
        "vargrad": "relax.methods.gradients:VarGrad",
        "integrated-gradients": "relax.methods.gradients:IntegratedGradients",
        "gradient-shap": "relax.methods.gradients:GradientShap",
        "guided-backprop": "relax.methods.modules:GuidedBackprop",
        "deeplift": "relax.methods.modules:DeepLift",
        "lafam": "relax.methods.activations:LaFAM",
        "grad-cam": "relax.methods.activations:GradCAM",
        "attention-rollout": "relax.methods.attention:AttentionRollout",
        "random": "relax.methods.baselines:Random",
        "center": "relax.methods.baselines:Center",
        "contrast": "relax.methods.baselines:Contrast",
        "edges": "relax.methods.baselines:Edges",
    },
    group="relax.method",
)


def ensure(method: str | Method | type[Method], options: dict[str, Any] | None = None) -> Method:
    """Resolve a method from its name or class (with options), or pass a configured method through.

    Args:
        method: name, class or instance.
        options: parameters of the method; not allowed with an instance.

    Raises:
        UnknownNameError: there is no method of this name.
        ArgumentError: the method does not take these options, or is already configured.
    """
    options = options or {}
    if isinstance(method, Method):
        if options:
            raise ArgumentError(
                f"expected the options of {method.name!r} in the method itself, got {', '.join(options)} beside it"
            )
        return method
    kind = method if isinstance(method, type) and issubclass(method, Method) else METHODS[method]
    return kind.made(options)


def named(methods: Sequence[str | Method]) -> dict[str, str | Method]:
    """Methods by name; further configurations of one method get a numeric suffix, equal ones count once."""
    by_name: dict[str, str | Method] = {}
    for method in dict.fromkeys(methods):
        base = method.name if isinstance(method, Method) else str(method)
        name, number = base, 1
        while name in by_name:
            number += 1
            name = f"{base}-{number}"
        by_name[name] = method
    return by_name


def forwards_only() -> str:
    """Methods that work with any encoder, as a sentence for messages."""
    names = [name for name, kind in METHODS.items() if kind.needs == "forwards"]
    return f"{', '.join(names[:-1])} and {names[-1]} need forwards only"


__all__ = ["METHODS", "Maps", "Masking", "Method", "Problem", "ensure", "forwards_only", "named"]
