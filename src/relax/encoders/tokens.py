"""Run a vision transformer on some of its patches only."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from relax.encoders.base import Encoder
from relax.errors import ArgumentError

MOST_EXTRA = 16
"""Class, register and distillation tokens that may stand before the patches."""


def token_stage(encoder: Encoder) -> nn.Module:
    """The module after which tokens have their positions and before which no block has seen them.

    timm's ``patch_drop``, or the ``embeddings`` of transformers' ViT, DeiT, DINOv2, CLIP and SigLIP.

    Raises:
        ArgumentError: the encoder has no such module.
    """
    model: Any = encoder.model
    if isinstance(model, nn.Module) and encoder.patch is not None:
        for name, module in model.named_modules():
            if name.rpartition(".")[2] in ("patch_drop", "embeddings"):
                stage: nn.Module = module
                return stage
    raise ArgumentError(
        f"fill='drop' needs a vision transformer of timm or transformers, encoder {encoder.name!r} shows no tokens; "
        "use another fill"
    )


@contextmanager
def only_patches(stage: nn.Module, kept: Tensor, n_patches: int) -> Iterator[None]:
    """Let only some patches pass a module, for as long as the context lasts.

    Args:
        stage: from :func:`token_stage`.
        kept: ``(N, k)`` numbers of the patches that each row keeps, in ascending order.
        n_patches: patches of an input.
    """

    def choose(_module: nn.Module, _inputs: Any, tokens: Tensor) -> Tensor:
        extra = tokens.shape[1] - n_patches
        if not 0 <= extra <= MOST_EXTRA:
            raise ArgumentError(f"expected {n_patches} patches and a few more tokens, got {tokens.shape[1]}")
        rows = torch.arange(len(tokens), device=tokens.device)[:, None]
        return torch.cat([tokens[:, :extra], tokens[rows, extra + kept.to(tokens.device)]], dim=1)

    handle = stage.register_forward_hook(choose)
    try:
        yield
    finally:
        handle.remove()
