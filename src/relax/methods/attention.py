"""Attention rollout for vision transformers of timm and transformers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from relax.errors import ArgumentError
from relax.estimation.maps import Maps
from relax.methods import forwards_only
from relax.methods.activations import resized
from relax.methods.base import Method
from relax.methods.problem import Problem


@dataclass(frozen=True)
class AttentionRollout(Method):
    """Product over blocks of ``½ (mean over heads of attention + identity)`` (Abnar & Zuidema, ACL 2020).

    The map is the row of the class token, or the mean over rows without one. It does not depend on the reference.
    """

    name = "attention-rollout"
    summary = "product of the attention of all blocks, from the class token to the patches"
    needs = "attention"
    cost = "2"
    source = "Abnar & Zuidema, ACL 2020"
    compares = False
    modalities = ("image",)

    def run(self, problem: Problem) -> Maps:
        encoder = problem.encoder
        attentions: list[Tensor] = []
        model = problem.module(self.name, forwards_only())
        with problem.session.alone(), _recorded_attention(model, attentions):
            problem.session(problem.whole())
        if not attentions or encoder.patch is None:
            raise ArgumentError(
                f"method 'attention-rollout' needs a vision transformer of timm or transformers, found no attention in "
                f"encoder {encoder.name!r}; {forwards_only()}"
            )
        height, width = (side // encoder.patch for side in problem.prepared.tensor.shape[-2:])
        rollout = _rollout(attentions)
        row = rollout[0] if encoder.pooling.has_class_token else rollout.mean(0)
        patches = row[-height * width :].view(height, width)
        return Maps(resized(problem, patches).numpy(), measures={"importance": "share of attention"})


def _rollout(attentions: list[Tensor]) -> Tensor:
    """Attention of output tokens (rows) to input tokens (columns), ``(T, T)`` float64."""
    size = attentions[0].shape[-1]
    rollout = torch.eye(size, dtype=torch.float64)
    for attention in attentions:
        layer = attention[0].mean(0).cpu().double() + torch.eye(size, dtype=torch.float64)
        rollout = layer / layer.sum(1, keepdim=True) @ rollout
    return rollout


@contextmanager
def _recorded_attention(model: Any, attentions: list[Tensor]) -> Iterator[None]:
    """Append the attention of every block to a list within the context; disables fused attention, which hides it."""
    modules: list[Any] = list(model.modules()) if isinstance(model, nn.Module) else []
    timm_modules = [
        m for m in modules if hasattr(m, "fused_attn") and isinstance(getattr(m, "attn_drop", None), nn.Module)
    ]
    transformers_modules = [m for m in modules if hasattr(m, "set_attn_implementation")][:1]
    fused = [module.fused_attn for module in timm_modules]
    handles = []
    implementation = None
    try:
        for module in timm_modules:
            module.fused_attn = False
            handles.append(module.attn_drop.register_forward_hook(lambda _m, _i, output: attentions.append(output)))
        for module in transformers_modules:
            implementation = module.config._attn_implementation
            module.set_attn_implementation("eager")
            handles += [
                part.register_forward_hook(_record_second(attentions)) for part in modules if _is_attention(part)
            ]
        yield
    finally:
        for handle in handles:
            handle.remove()
        for module, value in zip(timm_modules, fused, strict=True):
            module.fused_attn = value
        for module in transformers_modules:
            if implementation is not None:
                module.set_attn_implementation(implementation)


def _is_attention(module: nn.Module) -> bool:
    return type(module).__name__.endswith(("SelfAttention", "Attention"))


def _record_second(attentions: list[Tensor]) -> Any:
    """Forward hook for attention modules of transformers, which return ``(context, attention)``."""

    def record(_module: nn.Module, _inputs: Any, output: Any) -> None:
        if isinstance(output, tuple) and len(output) > 1 and isinstance(output[1], Tensor) and output[1].ndim == 4:
            attentions.append(output[1])

    return record
