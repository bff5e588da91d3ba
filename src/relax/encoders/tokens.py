"""Run a vision transformer on a subset of its patches."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from relax.errors import ArgumentError
from relax.modalities.fills import Background, Blend, Fill, Runs
from relax.modalities.image.patches import PatchMasks
from relax.modalities.image.separable import SeparableUnits
from relax.modalities.prepared import Prepared
from relax.modalities.units import Block, Units

MOST_EXTRA = 16
"""Largest number of class, register and distillation tokens before the patches."""


class Transformer(Protocol):
    """The part of an encoder that dropping patches needs."""

    name: str
    model: Callable[..., Any]
    patch: int | None


def token_stage(encoder: Transformer) -> nn.Module:
    """The module whose output is the tokens with position embeddings, before the first block.

    This is ``patch_drop`` in timm, and ``embeddings`` in the ViT, DeiT, DINOv2, CLIP and SigLIP of transformers.

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
        f"fill='drop' needs a vision transformer of timm or transformers, got encoder {encoder.name!r}; "
        "use another fill"
    )


@contextmanager
def only_patches(stage: nn.Module, kept: Tensor, n_patches: int) -> Iterator[None]:
    """Let only some patches pass a module.

    Args:
        stage: the module, from :func:`token_stage`.
        kept: ``(N, k)`` indices of the patches that each row keeps, in ascending order.
        n_patches: number of patches of an input.

    Raises:
        ArgumentError: in the forward pass, if the number of tokens does not fit ``n_patches``.
    """

    def select(_module: nn.Module, _inputs: Any, tokens: Tensor) -> Tensor:
        extra = tokens.shape[1] - n_patches
        if not 0 <= extra <= MOST_EXTRA:
            raise ArgumentError(
                f"expected {n_patches} patch tokens and up to {MOST_EXTRA} others, got {tokens.shape[1]} in total"
            )
        rows = torch.arange(len(tokens), device=tokens.device)[:, None]
        return torch.cat([tokens[:, :extra], tokens[rows, extra + kept.to(tokens.device)]], dim=1)

    handle = stage.register_forward_hook(select)
    try:
        yield
    finally:
        handle.remove()


@dataclass(frozen=True)
class Drop(Background):
    """No fill: a vision transformer runs on the kept patches only (TIS, Englebert et al., ICCVW 2023).

    Needs patch masks whose patches are multiples of the encoder's. The encoder sees no artificial content, and the
    cost of a forward pass falls about in proportion to the number of tokens.
    """

    modalities = ("image",)
    needs = "fill='drop' removes tokens inside it"

    def background(self, tensor: Tensor, by: Any, seed: int) -> Tensor:
        return torch.zeros_like(tensor)

    def bind(self, prepared: Prepared, by: Any = None, seed: int = 0) -> Dropping:
        return Dropping(self, self.background(prepared.tensor, by, seed))

    def settings(self) -> dict[str, Any]:
        return {"name": "drop"}

    def check(self, masks: Any, encoder: Transformer) -> None:
        """Check that the masks remove whole patches of the encoder.

        Raises:
            ArgumentError: they do not, or the encoder is not a supported vision transformer.
        """
        token_stage(encoder)
        if not isinstance(masks, PatchMasks) or encoder.patch is None or masks.patch % encoder.patch:
            raise ArgumentError("fill='drop' removes whole patches of the encoder, so it needs masks='patches'")


@dataclass(frozen=True, eq=False)
class Dropping(Blend):
    """The fill bound to one input; rows that keep the same number of patches are encoded together."""

    fill: Fill

    def encode(self, session: Any, prepared: Prepared, units: Units, block: Block) -> Tensor:
        encoder = session.encoder
        stage, patch, x = token_stage(encoder), encoder.patch, prepared.tensor
        if not isinstance(units, SeparableUnits):
            raise ArgumentError("fill='drop' removes whole patches of the encoder, so it needs masks='patches'")
        kept = units.masks(block)[:, patch // 2 :: patch, patch // 2 :: patch].flatten(1) > 0.5
        counts = kept.sum(1)
        order = torch.argsort(counts, stable=True)

        def encode(rows: slice) -> Tensor:
            selected = order[rows]
            parts = []
            for count in torch.unique(counts[selected]):
                group = kept[selected][counts[selected] == count]
                indices = group.nonzero()[:, 1].view(len(group), -1)
                with session.alone(), only_patches(stage, indices, kept.shape[1]):
                    parts.append(session(x.expand(len(group), *x.shape).clone()))
            return torch.cat(parts)

        runs: Runs = session
        representations = runs.run(len(block), tuple(x.shape), encode)
        return representations[torch.argsort(order)]
