"""Models of sentence-transformers as encoders of texts."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn


class SentenceModel(nn.Module):
    """A model of sentence-transformers that takes named inputs.

    Args:
        model: a ``SentenceTransformer``.
    """

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model
        self.__name__ = type(model).__name__

    def forward(self, **features: Tensor) -> Tensor:
        """``(N, T)`` inputs by name to ``(N, D)``."""
        embedding: Tensor = self.model(features)["sentence_embedding"]
        return embedding


def prompt_of(model: Any, prompt: str | None = None) -> str:
    """The text that a ``SentenceTransformer`` puts in front of every input.

    Args:
        model: the model.
        prompt: name of one of its prompts, or a text; ``None`` for the model's default prompt.
    """
    prompts = dict(getattr(model, "prompts", None) or {})
    default = getattr(model, "default_prompt_name", None)
    return str(prompts.get(default, "") if prompt is None else prompts.get(prompt, prompt))
