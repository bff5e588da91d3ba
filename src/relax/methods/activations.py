"""Maps from an encoder's own activations: LaFAM and Grad-CAM, on a stage that is found or named."""

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
from relax.methods.base import Method, Problem


@dataclass(frozen=True)
class OfActivations(Method):
    """A method that reads a network's activations.

    Args:
        layer: name of the module whose output is taken (as in ``model.named_modules()``); by default the last one that
            is spatial, or the last tokens of a vision transformer.
    """

    layer: str | None = None

    needs: ClassVar[str] = "activations"
    similarity: ClassVar[str] = "dot"
    modalities: ClassVar[tuple[str, ...] | None] = ("image",)


@dataclass(frozen=True)
class LaFAM(OfActivations):
    """Mean over channels of the last feature map (Karjauv & Albayrak 2024, arXiv 2407.06059).

    The paper scales the map to [0, 1]; that is left to pictures, so that maps of several inputs can be compared.
    It knows no reference: it is the same whatever the input is compared with.
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
    """ReLU of the feature maps weighted by their mean gradient (Selvaraju et al., ICCV 2017), of the score.

    By default of the last spatial module (or tokens) that the score has a gradient for: a class token that is read
    after the last block gives its patches none.
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
            f"the score has no gradient at the feature maps of encoder {problem.encoder.name!r}; with cosine "
            f"similarity to the input itself it is zero, use similarity='dot'; {forwards_only()}"
        )


def _gradients(problem: Problem, stages: list[nn.Module]) -> Iterator[tuple[Tensor, Tensor]]:
    """Outputs of the stages and the score's gradients at them, the last first; those without one are left out."""
    kept: list[Tensor] = []
    with torch.enable_grad(), _hooks(stages, kept):
        x = problem.prepared.tensor[None].clone().requires_grad_()
        score = problem.reference.score(problem.session(x)).sum()
        usable = [output for output in kept if isinstance(output, Tensor) and output.requires_grad]
        gradients = torch.autograd.grad(score, usable, allow_unused=True) if usable and score.requires_grad else []
    for output, gradient in zip(reversed(usable), reversed(gradients), strict=False):
        if gradient is not None:
            yield output.detach(), gradient.detach()


def _stages(problem: Problem, method: str, layer: str | None) -> list[nn.Module]:
    """The modules whose outputs are spatial (or tokens of a grid), in the order in which they are called."""
    model = problem.module(method, forwards_only())
    if layer is not None:
        modules = dict(model.named_modules())
        if layer not in modules:
            raise ArgumentError(f"encoder {problem.encoder.name!r} has no module {layer!r}; see model.named_modules()")
        return [modules[layer]]
    called: list[nn.Module] = []

    def note(module: nn.Module, _: Any, output: Any) -> None:
        if module is not model and isinstance(output, Tensor) and _grid(problem, output) is not None:
            called.append(module)

    handles = [module.register_forward_hook(note) for module in model.modules()]
    try:
        problem.session(problem.whole())
    finally:
        for handle in handles:
            handle.remove()
    if not called:
        raise ArgumentError(
            f"method {method!r} finds no feature map in encoder {problem.encoder.name!r}; name one by layer=; "
            f"{forwards_only()}"
        )
    return list(dict.fromkeys(reversed(called)))[::-1]  # in the order of their last calls: some serve several times


def _features(problem: Problem, stages: list[nn.Module]) -> list[Tensor]:
    """``(C, h, w)`` outputs of modules, in the order of their calls."""
    kept: list[Tensor] = []
    with _hooks(stages[-1:], kept):
        problem.session(problem.whole())
    return [_spatial(problem, output) for output in kept]


@contextmanager
def _hooks(modules: list[nn.Module], kept: list[Tensor]) -> Iterator[None]:
    """Keep the outputs of modules while the context lasts; the hooks are removed whatever happens."""
    handles = [module.register_forward_hook(lambda _m, _i, output: kept.append(output)) for module in modules]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _grid(problem: Problem, output: Tensor) -> tuple[int, int] | None:
    """Rows and columns of a feature map or of tokens; ``None`` for anything else."""
    if output.ndim == 4 and min(output.shape[-2:]) > 1:
        return (output.shape[2], output.shape[3])
    patch = problem.encoder.patch
    if output.ndim == 3 and patch is not None:
        height, width = (side // patch for side in problem.prepared.tensor.shape[-2:])
        extra = output.shape[1] - height * width
        return (height, width) if 0 <= extra <= 16 else None  # class, register and distillation tokens
    return None


def _spatial(problem: Problem, output: Tensor) -> Tensor:
    """One output as ``(C, h, w)``; tokens that stand for no patch are left out."""
    grid = _grid(problem, output) if isinstance(output, Tensor) else None
    if grid is None:
        got = tuple(output.shape) if isinstance(output, Tensor) else type(output).__name__
        raise ArgumentError(
            f"expected the layer to return (N, C, H, W) or tokens of patches, got {got}; name another layer="
        )
    if output.ndim == 4:
        return output[0].float()
    patches = output[0, -math.prod(grid) :].float()
    return patches.T.reshape(-1, *grid)


def resized(problem: Problem, values: Tensor) -> Tensor:
    """A small map at the size of the input, bilinearly: ``(H, W)`` float64 on the CPU."""
    size = problem.prepared.tensor.shape[-2:]
    large = F.interpolate(values[None, None].cpu().double(), size=size, mode="bilinear", align_corners=False)
    return large[0, 0]
