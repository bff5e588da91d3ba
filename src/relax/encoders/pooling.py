"""Pool model outputs to one representation per input.

``pool="auto"`` applies these rules in order:

1. A mapping (dict, transformers ``ModelOutput``) or a dataclass: the first of ``KEYS`` present, else its only tensor.
2. A tuple or list: its first tensor, or its rows of numbers.
3. ``(N, D)``: unchanged.
4. ``(N, C, H, W)``: the mean over ``H, W``.
5. ``(N, T, D)`` tokens: the first token if the model has a class token, else the mean over ``T`` without padding.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from relax.errors import ArgumentError, EncoderError

Pool = str | Callable[[Any], Tensor]

KEYS = (
    "image_embeds",
    "text_embeds",
    "sentence_embedding",
    "x_norm_clstoken",
    "embedding",
    "embeddings",
    "pooler_output",
    "last_hidden_state",
    "features",
)
RULES = ("auto", "mean", "cls", "last")


class Pooling:
    """Pools model outputs to ``(N, D)``.

    Args:
        rule: ``"auto"`` (see the module); ``"mean"``, ``"cls"`` or ``"last"`` (the last token) for spatial or token
            outputs; a key of a mapping, whose tensor is then pooled as for ``"auto"``; or a callable from the output
            to ``(N, D)``.
        has_class_token: whether the first token of a token output is a class token.

    Raises:
        ArgumentError: ``rule`` is neither a string nor a callable.
    """

    def __init__(self, rule: Pool = "auto", has_class_token: bool = False) -> None:
        if not isinstance(rule, str) and not callable(rule):
            raise ArgumentError(f"expected `pool` to be one of {', '.join(RULES)}, a key or a callable, got {rule!r}")
        self.rule = rule
        self.has_class_token = has_class_token

    def __call__(self, output: Any, n_rows: int, attended: Tensor | None = None) -> Tensor:
        """Pool one output of the model.

        Args:
            output: the output for a batch of ``n_rows`` inputs.
            n_rows: number of inputs.
            attended: ``(N, T)``, 1 for tokens and 0 for padding; ``None`` without padding.

        Returns:
            ``(n_rows, D)``.

        Raises:
            EncoderError: the output does not hold one real vector per input.
        """
        if not isinstance(self.rule, str):
            output = self.rule(output)
        tensor = self._select(output, attended is not None)
        if tensor.layout != torch.strided:
            tensor = tensor.to_dense()
        if n_rows == 1 and tensor.ndim == 1 and len(tensor) > 1:
            tensor = tensor[None]  # a model without a batch dimension
        if tensor.ndim == 0 or tensor.shape[0] != n_rows:
            raise EncoderError(
                f"expected one representation for each of {n_rows} inputs, got an output of shape "
                f"{tuple(tensor.shape)}; the batch must be its first dimension"
            )
        if tensor.is_complex():
            raise EncoderError(
                "expected real representations, got complex ones; pass a callable as `pool=` that makes them real"
            )
        tensor = self._flatten(tensor, attended)
        if tensor.ndim != 2 or tensor.shape[1] == 0:
            raise EncoderError(
                f"expected representations of shape (N, D), (N, C, H, W) or (N, T, D), got {tuple(tensor.shape)}; "
                "pass a callable as `pool=` that returns (N, D)"
            )
        return tensor

    def _select(self, output: Any, tokens: bool) -> Tensor:
        if isinstance(output, Tensor):
            return output
        if isinstance(output, np.ndarray):
            return torch.from_numpy(output)
        if isinstance(output, Mapping):
            return self._from_mapping(output, tokens)
        if dataclasses.is_dataclass(output) and not isinstance(output, type):
            fields = {item.name: getattr(output, item.name) for item in dataclasses.fields(output)}
            return self._from_mapping(fields, tokens)
        if isinstance(output, (tuple, list)):
            for item in output:
                if isinstance(item, Tensor):
                    return item
            with suppress(TypeError, ValueError):  # rows of numbers
                rows = torch.tensor(output, dtype=torch.float32)
                if rows.ndim == 2:
                    return rows
        raise EncoderError(
            f"expected the encoder to return a tensor, tuple, dict, dataclass or ModelOutput, got "
            f"{type(output).__name__}; pass a callable as `pool=` that returns (N, D)"
        )

    def _from_mapping(self, output: Mapping[str, Any], tokens: bool) -> Tensor:
        tensors = {key: value for key, value in output.items() if isinstance(value, Tensor)}
        if isinstance(self.rule, str) and self.rule not in RULES:
            if self.rule not in tensors:
                raise EncoderError(f"the encoder's output has no {self.rule!r}; it has: {', '.join(tensors)}")
            return tensors[self.rule]
        # "mean" and "cls" pool tokens, so prefer them to an output that is already pooled
        keys: tuple[str, ...] = KEYS if self.rule == "auto" else ("last_hidden_state", *KEYS)
        if tokens and self.rule == "auto":  # the pooler of a text encoder is mostly that of its pretraining task
            keys = (*(key for key in KEYS if key != "pooler_output"), "pooler_output")
        for key in keys:
            if key in tensors:
                return tensors[key]
        if len(tensors) == 1:
            return next(iter(tensors.values()))
        raise EncoderError(f"the encoder returned several tensors ({', '.join(tensors)}); choose one with pool=NAME")

    def _flatten(self, tensor: Tensor, attended: Tensor | None) -> Tensor:
        if tensor.ndim == 4:
            return tensor.mean((2, 3))
        if tensor.ndim != 3:
            return tensor
        first = self.rule == "cls" or (self.rule not in ("mean", "last") and self.has_class_token)
        if attended is None or attended.shape != tensor.shape[:2]:
            return tensor[:, 0] if first else tensor[:, -1] if self.rule == "last" else tensor.mean(1)
        if first or self.rule == "last":
            rows, seen = torch.arange(len(tensor), device=tensor.device), (attended > 0).int()
            return tensor[rows, seen.argmax(1) if first else seen.shape[1] - 1 - seen.flip(1).argmax(1)]
        weights = attended.to(tensor.dtype)[..., None]
        return (tensor * weights).sum(1) / weights.sum(1).clamp_min(1)


def has_class_token(model: Any) -> bool:
    """Whether a model has a class token, judged by the parameter names of timm, torchvision and transformers."""
    if not isinstance(model, nn.Module):
        return False
    names = ("cls_token", "class_token", "class_embedding")
    return any(isinstance(getattr(module, name, None), torch.Tensor) for module in model.modules() for name in names)
