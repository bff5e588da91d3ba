"""Attention rollout, for vision transformers of timm and transformers."""

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
from relax.methods.base import Method, Problem


@dataclass(frozen=True)
class AttentionRollout(Method):
    """Product over blocks of ``½ (mean over heads of attention + identity)`` (Abnar & Zuidema, ACL 2020).

    The row of the class token, or the mean over rows where there is none. It knows no reference.
    """

    name = "attention-rollout"
    summary = "attention of all blocks multiplied up, from the class token to the patches"
    needs = "attention"
    cost = "2"
    source = "Abnar & Zuidema, ACL 2020"
    compares = False
    modalities = ("image",)

    def run(self, problem: Problem) -> Maps:
        encoder = problem.encoder
        attentions: list[Tensor] = []
        model = problem.module(self.name, forwards_only())
        with problem.session.alone(), _watched(model, attentions):
            problem.session(problem.whole())
        if not attentions or encoder.patch is None:
            raise ArgumentError(
                f"method 'attention-rollout' needs a vision transformer of timm or transformers, {encoder.name!r} "
                f"shows no attention; {forwards_only()}"
            )
        height, width = (side // encoder.patch for side in problem.prepared.tensor.shape[-2:])
        rollout = _multiplied(attentions)
        row = rollout[0] if encoder.pooling.has_class_token else rollout.mean(0)
        patches = row[-height * width :].view(height, width)
        return Maps(resized(problem, patches).numpy(), measures={"importance": "share of attention"})


def _multiplied(attentions: list[Tensor]) -> Tensor:
    """``(T, T)`` float64: attention of the last tokens to the first ones."""
    size = attentions[0].shape[-1]
    rollout = torch.eye(size, dtype=torch.float64)
    for attention in attentions:
        layer = attention[0].mean(0).cpu().double() + torch.eye(size, dtype=torch.float64)
        rollout = layer / layer.sum(1, keepdim=True) @ rollout
    return rollout


@contextmanager
def _watched(model: Any, kept: list[Tensor]) -> Iterator[None]:
    """Keep the attention of every block while the context lasts; fused attention, which hides it, is put off."""
    modules: list[Any] = list(model.modules()) if isinstance(model, nn.Module) else []
    of_timm = [m for m in modules if hasattr(m, "fused_attn") and isinstance(getattr(m, "attn_drop", None), nn.Module)]
    of_transformers = [m for m in modules if hasattr(m, "set_attn_implementation")][:1]
    fused = [module.fused_attn for module in of_timm]
    handles = []
    before = None
    try:
        for module in of_timm:
            module.fused_attn = False
            handles.append(module.attn_drop.register_forward_hook(lambda _m, _i, output: kept.append(output)))
        for module in of_transformers:
            before = module.config._attn_implementation
            module.set_attn_implementation("eager")
            handles += [part.register_forward_hook(_keep_second(kept)) for part in modules if _is_attention(part)]
        yield
    finally:
        for handle in handles:
            handle.remove()
        for module, value in zip(of_timm, fused, strict=True):
            module.fused_attn = value
        for module in of_transformers:
            if before is not None:
                module.set_attn_implementation(before)


def _is_attention(module: nn.Module) -> bool:
    return type(module).__name__.endswith(("SelfAttention", "Attention"))


def _keep_second(kept: list[Tensor]) -> Any:
    """A hook for transformers' attention modules, which return ``(context, attention)``."""

    def keep(_module: nn.Module, _inputs: Any, output: Any) -> None:
        if isinstance(output, tuple) and len(output) > 1 and isinstance(output[1], Tensor) and output[1].ndim == 4:
            kept.append(output[1])

    return keep
