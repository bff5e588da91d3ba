"""Gradient attributions of the score, by Captum; no labels take part.

The score of an input's own representation is the dot product ``⟨f(x), f(x̃)⟩`` with x fixed, the label-free
importance of Crabbé & van der Schaar (ICML 2022, arXiv 2203.01928), unless another reference or similarity is
asked for. The cosine similarity will not do here: at the input itself it is at its maximum, its gradient zero.

Maps are sums over channels, signed, in units of the score per unit of the input for plain gradients, in units of
the score for attributions that multiply by the input. Magnitudes are sums of absolute values.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from relax.errors import ArgumentError
from relax.extras import require
from relax.methods.base import Budget, Maps, Method, Problem, budget
from relax.scoring import Scorer
from relax.seeding import seeded

_CRABBE = "label-free: Crabbé & van der Schaar, ICML 2022"
_PER_INPUT = "score per unit of input"

CHUNK = 8
"""Rows that Captum evaluates at a time."""


def saliency(problem: Problem) -> Maps:
    """``Σ_c |∂s/∂x_c|`` (Simonyan et al. 2014)."""
    gradient = _attribute(problem, lambda captum, scorer, x: captum.Saliency(scorer).attribute(x, abs=False))
    return Maps(gradient.abs().sum(0).numpy(), units={"importance": _PER_INPUT})


def input_x_gradient(problem: Problem) -> Maps:
    """``Σ_c (x_c − b_c) ∂s/∂x_c``, with the fill as b (Shrikumar et al. 2016)."""
    gradient = _attribute(problem, lambda captum, scorer, x: captum.Saliency(scorer).attribute(x, abs=False))
    difference = (problem.masked.tensor - problem.masked.background).cpu().double()
    return Maps((difference * gradient).sum(0).numpy(), signed=True)


def smoothgrad(problem: Problem, *, n_samples: int = 32, noise: float = 0.15) -> Maps:
    """Magnitude of the gradient averaged over noisy copies of the input (Smilkov et al. 2017).

    Args:
        problem: the input.
        n_samples: noisy copies.
        noise: standard deviation, as a share of the input's range.
    """
    mean, spread = _noisy_gradients(problem, n_samples, noise)
    error = (spread / n_samples).sum(0).sqrt()
    units = {"importance": _PER_INPUT, "uncertainty": "variance of the gradient", "standard_error": _PER_INPUT}
    return Maps(mean.abs().sum(0).numpy(), spread.sum(0).numpy(), error.numpy(), units, n_masks=n_samples)


def vargrad(problem: Problem, *, n_samples: int = 32, noise: float = 0.15) -> Maps:
    """Variance of the gradient over noisy copies of the input, summed over channels (Adebayo et al. 2018).

    Args:
        problem: the input.
        n_samples: noisy copies.
        noise: standard deviation, as a share of the input's range.
    """
    _, spread = _noisy_gradients(problem, n_samples, noise)
    return Maps(spread.sum(0).numpy(), units={"importance": "variance of the gradient"}, n_masks=n_samples)


def integrated_gradients(problem: Problem, *, n_steps: int = 32) -> Maps:
    """Gradients along the straight line from the fill to the input, times the difference (Sundararajan et al. 2017).

    Args:
        problem: the input.
        n_steps: points on the line.
    """

    def attribute(captum: Any, scorer: Scorer, x: Tensor) -> Tensor:
        baseline = problem.masked.background[None]
        method = captum.IntegratedGradients(scorer)
        return method.attribute(x, baseline, n_steps=n_steps, internal_batch_size=CHUNK)  # type: ignore[no-any-return]

    return Maps(_attribute(problem, attribute).sum(0).numpy(), signed=True)


def gradient_shap(problem: Problem, *, n_samples: int = 32, noise: float = 0.1) -> Maps:
    """Expected gradients at random points between the fill and the noisy input (Lundberg & Lee 2017, by Captum).

    Args:
        problem: the input.
        n_samples: random points.
        noise: standard deviation, as a share of the input's range.
    """

    def attribute(captum: Any, scorer: Scorer, x: Tensor) -> Tensor:
        baseline = problem.masked.background[None]
        deviation = noise * _range(x)
        method = captum.GradientShap(scorer)
        total = torch.zeros_like(x)
        for start in range(0, n_samples, CHUNK):  # Captum evaluates all of its samples in one batch
            n = min(CHUNK, n_samples - start)
            total += n * method.attribute(x, baseline, n_samples=n, stdevs=deviation).detach()
        return total / n_samples

    return Maps(_attribute(problem, attribute).sum(0).numpy(), signed=True, n_masks=n_samples)


def guided_backprop(problem: Problem) -> Maps:
    """Gradients that flow back only through positive gradients at ReLUs (Springenberg et al. 2015)."""
    model = _module(problem, "guided-backprop")
    with _activations(model, nn.ReLU6, _CappedReLU):
        if not any(isinstance(module, nn.ReLU) for module in model.modules()):
            raise ArgumentError(
                f"method 'guided-backprop' needs an encoder with nn.ReLU modules, {problem.session.encoder.name!r} has "
                "none; saliency, smoothgrad and integrated-gradients work with any that has gradients"
            )
        gradient = _attribute(problem, lambda captum, scorer, x: captum.GuidedBackprop(scorer).attribute(x))
    return Maps(gradient.sum(0).numpy(), units={"importance": _PER_INPUT}, signed=True)


def deeplift(problem: Problem) -> Maps:
    """Differences of activations from those of the fill, propagated back (Shrikumar et al. 2017)."""
    model = _module(problem, "deeplift")
    _check_modules_used_once(problem, model)

    def attribute(captum: Any, scorer: Scorer, x: Tensor) -> Tensor:
        return captum.DeepLift(scorer).attribute(x, problem.masked.background[None])  # type: ignore[no-any-return]

    with _activations(model, nn.ReLU6, _TwoReLUs):
        return Maps(_attribute(problem, attribute).sum(0).numpy(), signed=True)


def _attribute(problem: Problem, attribute: Callable[[Any, Scorer, Tensor], Tensor]) -> Tensor:
    """``(C, H, W)`` float64 attribution on the CPU; global random state is seeded inside and put back."""
    captum = require("captum.attr", extra="methods")
    reference = problem.reference
    scorer = Scorer(problem.session, reference, problem.session.encoder.model)
    x = problem.masked.tensor[None].clone().requires_grad_()
    with torch.enable_grad(), seeded(problem.seed, x.device), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Setting (forward, )?backward hooks")  # they are removed again
        try:
            result = attribute(captum, scorer, x)
        except RuntimeError as error:
            if "grad" not in str(error):
                raise
            raise ArgumentError(
                f"encoder {problem.session.encoder.name!r} or its reference gives no gradients; relax, "
                "repeat, occlusion, kernel-shap, lime, shapley-sampling, sobol and hsic need forwards only"
            ) from error
    problem.session.check_finite()
    result = result[0].detach().cpu().double()
    if not reference.constant and float(result.abs().max()) <= 1e-7 * reference.scale:
        raise ArgumentError(
            "the gradient of this score is zero at the input: cosine, RBF and distance are at their maximum when an "
            "input is compared with itself; use similarity='dot', another input (against=), or smoothgrad"
        )
    return result


def _noisy_gradients(problem: Problem, n_samples: int, noise: float) -> tuple[Tensor, Tensor]:
    """Mean and variance of the gradient over noisy inputs, ``(C, H, W)`` each."""
    if n_samples < 2:
        raise ArgumentError(f"expected `n_samples` to be at least 2, got {n_samples!r}")
    if not noise > 0:
        raise ArgumentError(f"expected `noise` to be positive, got {noise!r}")
    sums: list[Tensor] = []

    def attribute(captum: Any, scorer: Scorer, x: Tensor) -> Tensor:
        method = captum.Saliency(scorer)
        deviation = noise * _range(x)
        total, squares = torch.zeros_like(x[0], dtype=torch.float64), torch.zeros_like(x[0], dtype=torch.float64)
        for start in range(0, n_samples, CHUNK):
            rows = x.expand(min(CHUNK, n_samples - start), *x.shape[1:])
            # a leaf, which Captum asks for
            noisy = torch.normal(rows.detach(), deviation).requires_grad_()
            gradients = method.attribute(noisy, abs=False).detach().double()
            total += gradients.sum(0)
            squares += gradients.square().sum(0)
        mean = total / n_samples
        sums.append(((squares / n_samples - mean.square()).clamp_min(0) * n_samples / (n_samples - 1)).cpu())
        return mean[None]

    return _attribute(problem, attribute), sums[0]


def _range(x: Tensor) -> float:
    """Largest less smallest value of an input."""
    return float((x.max() - x.min()).detach())


def _module(problem: Problem, method: str) -> nn.Module:
    model = problem.session.encoder.model
    if not isinstance(model, nn.Module):
        raise ArgumentError(
            f"method {method!r} needs an nn.Module, {problem.session.encoder.name!r} is a {type(model).__name__}; "
            "saliency, smoothgrad and integrated-gradients work with any callable that has gradients"
        )
    return model


class _CappedReLU(nn.ReLU):
    """ReLU6 as a kind of ReLU, so that Captum's guided backpropagation sees it."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x).clamp_max(6.0)


class _TwoReLUs(nn.Module):
    """ReLU6 as ``6 − ReLU(6 − ReLU(x))``, in modules that Captum's DeepLIFT has a rule for."""

    def __init__(self) -> None:
        super().__init__()
        self.low, self.high = nn.ReLU(), nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        capped: Tensor = 6.0 - self.high(6.0 - self.low(x))
        return capped


@contextmanager
def _activations(model: nn.Module, old: type[nn.Module], new: Callable[[], nn.Module]) -> Iterator[None]:
    """Replace every module of a kind, for as long as the context lasts; in-place activations work on copies."""
    places = [
        (parent, name, child)
        for parent in model.modules()
        for name, child in parent.named_children()
        if type(child) is old
    ]
    in_place = [module for module in model.modules() if getattr(module, "inplace", False) is True]
    try:
        for parent, name, _ in places:
            setattr(parent, name, new().eval())
        for module in in_place:
            module.inplace = False  # type: ignore[assignment]
        yield
    finally:
        for module in in_place:
            module.inplace = True  # type: ignore[assignment]
        for parent, name, child in places:
            setattr(parent, name, child)


def _check_modules_used_once(problem: Problem, model: nn.Module) -> None:
    """Raise if an activation module is called twice in a forward: DeepLIFT's rules need one input a module."""
    calls: dict[nn.Module, int] = {}

    def count(module: nn.Module, *_: Any) -> None:
        calls[module] = calls.get(module, 0) + 1

    kinds = (nn.ReLU, nn.ReLU6, nn.ELU, nn.LeakyReLU, nn.Sigmoid, nn.Tanh, nn.Softplus, nn.MaxPool2d)
    handles = [m.register_forward_pre_hook(count) for m in model.modules() if isinstance(m, kinds)]
    try:
        problem.session(problem.masked.tensor[None])
    finally:
        for handle in handles:
            handle.remove()
    if any(n > 1 for n in calls.values()):
        raise ArgumentError(
            f"method 'deeplift' needs each activation module to be used once, {problem.session.encoder.name!r} calls "
            "some of them twice; integrated-gradients and gradient-shap answer the same question"
        )


def _method(name: str, run: Callable[..., Maps], cost: str, source: str, within: Budget | None = None) -> Method:
    summary = (run.__doc__ or "").splitlines()[0].rpartition(" (")[0].replace("``", "")
    return Method(name, summary, "gradients", cost, f"{source}; {_CRABBE}", run, similarity="dot", budget=within)


_SAMPLES = budget("n_samples", 3)

GRADIENT_METHODS = (
    _method("saliency", saliency, "2 + 1 backward", "Simonyan et al., 2014"),
    _method("input-x-gradient", input_x_gradient, "2 + 1 backward", "Shrikumar et al., 2016"),
    _method("smoothgrad", smoothgrad, "n_samples + 1, n_samples backwards", "Smilkov et al., 2017", _SAMPLES),
    _method("vargrad", vargrad, "n_samples + 1, n_samples backwards", "Adebayo et al., 2018", _SAMPLES),
    _method(
        "integrated-gradients",
        integrated_gradients,
        "n_steps + 1, n_steps backwards",
        "Sundararajan et al., 2017",
        budget("n_steps", 3),
    ),
    _method("gradient-shap", gradient_shap, "n_samples + 1, n_samples backwards", "Lundberg & Lee, 2017", _SAMPLES),
    _method("guided-backprop", guided_backprop, "2 + 1 backward", "Springenberg et al., 2015"),
    _method("deeplift", deeplift, "4 + 2 backwards", "Shrikumar et al., 2017"),
)
