"""Run a vision transformer on some of its patches only."""

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
"""Class, register and distillation tokens that may stand before the patches."""


class Transformer(Protocol):
    """What dropping patches needs of an encoder."""

    name: str
    model: Callable[..., Any]
    patch: int | None


def token_stage(encoder: Transformer) -> nn.Module:
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


@dataclass(frozen=True)
class Drop(Background):
    """Nothing: a vision transformer runs on the kept patches only (TIS, Englebert et al., ICCVW 2023).

    Needs patch masks of the encoder's own size. No fill can mislead the encoder, and a forward costs about as much
    less as there are fewer tokens.
    """

    modalities = ("image",)

    def background(self, tensor: Tensor, by: Any, seed: int) -> Tensor:
        return torch.zeros_like(tensor)

    def bind(self, prepared: Prepared, by: Any = None, seed: int = 0) -> Dropping:
        return Dropping(self, self.background(prepared.tensor, by, seed))

    def settings(self) -> dict[str, Any]:
        return {"name": "drop"}

    def check(self, masks: Any, encoder: Transformer) -> None:
        """Raise unless these masks remove whole patches of the encoder."""
        token_stage(encoder)
        if not isinstance(masks, PatchMasks) or encoder.patch is None or masks.patch % encoder.patch:
            raise ArgumentError("fill='drop' drops whole patches of the encoder: it needs masks='patches'")


@dataclass(frozen=True, eq=False)
class Dropping(Blend):
    """The fill made ready for one input; rows that keep equally many patches are encoded together."""

    fill: Fill

    def encode(self, session: Any, prepared: Prepared, units: Units, block: Block) -> Tensor:
        encoder = session.encoder
        stage, patch, x = token_stage(encoder), encoder.patch, prepared.tensor
        if not isinstance(units, SeparableUnits):
            raise ArgumentError("fill='drop' drops whole patches of the encoder: it needs masks='patches'")
        kept = units.masks(block)[:, patch // 2 :: patch, patch // 2 :: patch].flatten(1) > 0.5
        counts = kept.sum(1)
        order = torch.argsort(counts, stable=True)

        def encode(rows: slice) -> Tensor:
            some = order[rows]
            parts = []
            for count in torch.unique(counts[some]):
                same = kept[some][counts[some] == count]
                indices = same.nonzero()[:, 1].view(len(same), -1)
                with session.alone(), only_patches(stage, indices, kept.shape[1]):
                    parts.append(session(x.expand(len(same), *x.shape).clone()))
            return torch.cat(parts)

        runs: Runs = session
        representations = runs.run(len(block), tuple(x.shape), encode)
        return representations[torch.argsort(order)]
