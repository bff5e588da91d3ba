"""Activation maps: LaFAM and Grad-CAM, on a layer that is detected or given by name."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from relax.errors import ArgumentError
from relax.estimation.maps import Maps
from relax.methods import forwards_only
from relax.methods.base import Method
from relax.methods.problem import Problem


@dataclass(frozen=True)
class OfActivations(Method):
    """Base class of methods that read a network's activations.

    Args:
        layer: name of the module to read, as in ``model.named_modules()``; ``None`` for the last module with a spatial
            output, or with patch tokens for a vision transformer.
    """

    layer: str | None = None

    needs: ClassVar[str] = "activations"
    similarity: ClassVar[str] = "dot"
    modalities: ClassVar[tuple[str, ...] | None] = ("image",)


@dataclass(frozen=True)
class LaFAM(OfActivations):
    """Mean over channels of the last feature map (Karjauv & Albayrak 2024, arXiv 2407.06059).

    Unlike the paper, does not scale the map to [0, 1], so that maps of several inputs are comparable. Does not depend
    on the reference.
    """

    name = "lafam"
    summary = "mean over channels of the last feature map"
    cost = "3"
    source = "Karjauv & Albayrak, arXiv 2407.06059"
    compares = False

    def run(self, problem: Problem) -> Maps:
        with problem.session.alone(), torch.no_grad():
            features = _features(problem, _stages(problem, self.name, self.layer))[-1]
        return Maps(resized(problem, features.mean(0)).numpy(), measures={"importance": "mean activation"})


@dataclass(frozen=True)
class GradCAM(OfActivations):
    """ReLU of the feature maps weighted by the mean gradient of the score (Selvaraju et al., ICCV 2017).

    By default, uses the last module with spatial output (or patch tokens) at which the gradient is not zero. An encoder
    that reads only the class token has zero gradient at the patch tokens of its last block.
    """

    name = "grad-cam"
    summary = "ReLU of the feature maps weighted by the mean gradient of the score"
    cost = "3 + 1 backward"
    source = "Selvaraju et al., ICCV 2017"

    def run(self, problem: Problem) -> Maps:
        with problem.session.alone():
            stages = _stages(problem, self.name, self.layer)
            for output, gradient in _gradients(problem, stages):
                weights, values = _spatial(problem, gradient), _spatial(problem, output)
                if float(weights.abs().max()) > 0:
                    cam = (weights.mean((1, 2), keepdim=True) * values).sum(0).clamp_min(0)
                    return Maps(resized(problem, cam).numpy(), measures={"importance": "weighted activation"})
        raise ArgumentError(
            f"the gradient of the score is zero at all feature maps of encoder {problem.encoder.name!r}, as for the "
            f"cosine similarity to the input itself; use similarity='dot'; {forwards_only()}"
        )


def _gradients(problem: Problem, stages: list[nn.Module]) -> Iterator[tuple[Tensor, Tensor]]:
    """Outputs of the modules and the score's gradients at them, last first; skips outputs without a gradient."""
    outputs: list[Tensor] = []
    with torch.enable_grad(), _hooks(stages, outputs):
        x = problem.prepared.tensor[None].clone().requires_grad_()
        score = problem.reference.score(problem.session(x)).sum()
        usable = [output for output in outputs if isinstance(output, Tensor) and output.requires_grad]
        gradients = torch.autograd.grad(score, usable, allow_unused=True) if usable and score.requires_grad else []
    for output, gradient in zip(reversed(usable), reversed(gradients), strict=False):
        if gradient is not None:
            yield output.detach(), gradient.detach()


def _stages(problem: Problem, method: str, layer: str | None) -> list[nn.Module]:
    """Modules with spatial (or patch token) outputs, in order of their last call."""
    model = problem.module(method, forwards_only())
    if layer is not None:
        modules = dict(model.named_modules())
        if layer not in modules:
            raise ArgumentError(f"encoder {problem.encoder.name!r} has no module {layer!r}; see model.named_modules()")
        return [modules[layer]]
    called: list[nn.Module] = []

    def record(module: nn.Module, _: Any, output: Any) -> None:
        if module is not model and isinstance(output, Tensor) and _grid(problem, output) is not None:
            called.append(module)

    handles = [module.register_forward_hook(record) for module in model.modules()]
    try:
        problem.session(problem.whole())
    finally:
        for handle in handles:
            handle.remove()
    if not called:
        raise ArgumentError(
            f"method {method!r} finds no feature map in encoder {problem.encoder.name!r}; pass layer=; "
            f"{forwards_only()}"
        )
    return list(dict.fromkeys(reversed(called)))[::-1]  # a module may be called several times


def _features(problem: Problem, stages: list[nn.Module]) -> list[Tensor]:
    """Outputs ``(C, h, w)`` of the last module, one per call."""
    outputs: list[Tensor] = []
    with _hooks(stages[-1:], outputs):
        problem.session(problem.whole())
    return [_spatial(problem, output) for output in outputs]


@contextmanager
def _hooks(modules: list[nn.Module], outputs: list[Tensor]) -> Iterator[None]:
    """Append the outputs of modules to a list within the context."""
    handles = [module.register_forward_hook(lambda _m, _i, output: outputs.append(output)) for module in modules]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _grid(problem: Problem, output: Tensor) -> tuple[int, int] | None:
    """Rows and columns of a feature map or of patch tokens; ``None`` for anything else."""
    if output.ndim == 4 and min(output.shape[-2:]) > 1:
        return (output.shape[2], output.shape[3])
    patch = problem.encoder.patch
    if output.ndim == 3 and patch is not None:
        height, width = (side // patch for side in problem.prepared.tensor.shape[-2:])
        extra = output.shape[1] - height * width
        return (height, width) if 0 <= extra <= 16 else None  # class, register and distillation tokens
    return None


def _spatial(problem: Problem, output: Tensor) -> Tensor:
    """One output as ``(C, h, w)`` float32; drops tokens that are not patches."""
    grid = _grid(problem, output) if isinstance(output, Tensor) else None
    if grid is None:
        got = tuple(output.shape) if isinstance(output, Tensor) else type(output).__name__
        raise ArgumentError(
            f"expected the layer to return (N, C, H, W) or patch tokens, got {got}; choose another layer="
        )
    if output.ndim == 4:
        return output[0].float()
    patches = output[0, -math.prod(grid) :].float()
    return patches.T.reshape(-1, *grid)


def resized(problem: Problem, values: Tensor) -> Tensor:
    """Resize a feature map to the input bilinearly.

    Args:
        problem: the problem, for the input's size.
        values: map ``(h, w)``.

    Returns:
        ``(H, W)`` float64 on the CPU.
    """
    size = problem.prepared.tensor.shape[-2:]
    large = F.interpolate(values[None, None].cpu().double(), size=size, mode="bilinear", align_corners=False)
    return large[0, 0]
