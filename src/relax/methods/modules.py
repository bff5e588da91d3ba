"""Methods that modify backpropagation through modules: guided backpropagation and DeepLIFT, computed by Captum."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from relax.errors import ArgumentError
from relax.estimation.maps import Maps
from relax.methods.gradients import CRABBE, PER_INPUT, Gradient, attribute
from relax.methods.problem import Problem

INSTEAD = "saliency, smoothgrad and integrated-gradients work with any callable that has gradients"


@dataclass(frozen=True)
class GuidedBackprop(Gradient):
    """Gradient that passes ReLUs only where it is positive (Springenberg et al. 2015)."""

    name = "guided-backprop"
    summary = "Gradients that flow back only through positive gradients at ReLUs"
    source = f"Springenberg et al., 2015; {CRABBE}"

    def run(self, problem: Problem) -> Maps:
        model = problem.module(self.name, INSTEAD)
        with problem.session.alone(), _replaced_activations(model, nn.ReLU6, _CappedReLU):
            if not any(isinstance(module, nn.ReLU) for module in model.modules()):
                raise ArgumentError(
                    f"method 'guided-backprop' needs nn.ReLU modules, encoder {problem.encoder.name!r} has none; "
                    f"{INSTEAD}"
                )
            gradient = attribute(problem, lambda captum, scorer, x: captum.GuidedBackprop(scorer).attribute(x))
        return Maps(problem.modality.to_map(gradient).numpy(), measures={"importance": PER_INPUT}, signed=True)


@dataclass(frozen=True)
class DeepLift(Gradient):
    """Differences of activations from those of the fill, propagated back (Shrikumar et al. 2017)."""

    name = "deeplift"
    summary = "Differences of activations from those of the fill, propagated back"
    cost = "4 + 2 backwards"
    source = f"Shrikumar et al., 2017; {CRABBE}"

    def run(self, problem: Problem) -> Maps:
        model = problem.module(self.name, INSTEAD)
        baseline = problem.perturbed.background[None]

        def propagate(captum: Any, scorer: Any, x: Tensor) -> Tensor:
            attribution: Tensor = captum.DeepLift(scorer).attribute(x, baseline)
            return attribution

        with problem.session.alone():
            _check_modules_used_once(problem, model)
            with _replaced_activations(model, nn.ReLU6, _TwoReLUs):
                return Maps(problem.modality.to_map(attribute(problem, propagate)).numpy(), signed=True)


class _CappedReLU(nn.ReLU):
    """ReLU6 as a subclass of ReLU, which Captum's guided backpropagation recognises."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x).clamp_max(6.0)


class _TwoReLUs(nn.Module):
    """ReLU6 as ``6 − ReLU(6 − ReLU(x))``, composed of modules that Captum's DeepLIFT supports."""

    def __init__(self) -> None:
        super().__init__()
        self.lower, self.upper = nn.ReLU(), nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        capped: Tensor = 6.0 - self.upper(6.0 - self.lower(x))
        return capped


@contextmanager
def _replaced_activations(model: nn.Module, old: type[nn.Module], new: Callable[[], nn.Module]) -> Iterator[None]:
    """Replace all modules of a class, and disable in-place activations, within the context."""
    replaced = [
        (parent, name, child)
        for parent in model.modules()
        for name, child in parent.named_children()
        if type(child) is old
    ]
    in_place = [module for module in model.modules() if getattr(module, "inplace", False) is True]
    try:
        for parent, name, _ in replaced:
            setattr(parent, name, new().eval())
        for module in in_place:
            module.inplace = False  # type: ignore[assignment]
        yield
    finally:
        for module in in_place:
            module.inplace = True  # type: ignore[assignment]
        for parent, name, child in replaced:
            setattr(parent, name, child)


def _check_modules_used_once(problem: Problem, model: nn.Module) -> None:
    """Check that a forward calls each activation module once: DeepLIFT's rules need one input per module."""
    calls: dict[nn.Module, int] = {}

    def count(module: nn.Module, *_: Any) -> None:
        calls[module] = calls.get(module, 0) + 1

    kinds = (nn.ReLU, nn.ReLU6, nn.ELU, nn.LeakyReLU, nn.Sigmoid, nn.Tanh, nn.Softplus, nn.MaxPool2d)
    handles = [m.register_forward_pre_hook(count) for m in model.modules() if isinstance(m, kinds)]
    try:
        problem.session(problem.whole())
    finally:
        for handle in handles:
            handle.remove()
    if any(n > 1 for n in calls.values()):
        raise ArgumentError(
            f"method 'deeplift' needs each activation module to be used once, encoder {problem.encoder.name!r} calls "
            "some of them several times; use integrated-gradients or gradient-shap"
        )
