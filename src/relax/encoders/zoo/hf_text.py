"""Text models of transformers, and the text towers of its two-tower models."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from relax._support.extras import require
from relax.encoders.base import Encoder
from relax.encoders.zoo.hub import without_notes
from relax.errors import EncoderError, first_line
from relax.modalities.text.tokenizer import TextTokenizer

POOLING = "1_Pooling/config.json"
"""File in which sentence-transformers describes its pooling."""

MODES = {"pooling_mode_cls_token": "cls", "pooling_mode_lasttoken": "last", "pooling_mode_mean_tokens": "mean"}
"""Pooling rules by their names in that file."""


@without_notes()
def text_from_hf(name: str, pool: Any = "auto") -> Encoder:
    """Load a text model of transformers with its fast tokenizer.

    The representation of a two-tower model is that of its text tower. Else it is pooled as the folder of a
    sentence-transformers model says; without such a description it is the mean over tokens.

    Args:
        name: hub name, or folder written by ``save_pretrained``.
        pool: see :class:`Encoder`.

    Raises:
        MissingExtraError: transformers is not installed.
        EncoderError: the model or its tokenizer cannot be loaded.
    """
    transformers = require("transformers", extra="text")
    try:
        tokenizer = transformers.AutoTokenizer.from_pretrained(name, trust_remote_code=False)
        model = transformers.AutoModel.from_pretrained(name, trust_remote_code=False)
    except (OSError, ValueError, KeyError, ImportError) as error:
        raise EncoderError(
            f"hf:{name} cannot be loaded: {first_line(error)}; use a hub name, which needs a network once, or a "
            "folder with config.json, a tokenizer and weights"
        ) from error
    if hasattr(model, "get_text_features"):
        model = _TextFeatures(model)
    elif pool == "auto":
        pool = _pooling(Path(name)) or "auto"
    config = getattr(getattr(model, "model", model), "config", None)
    config = getattr(config, "text_config", config)
    limits = [getattr(tokenizer, "model_max_length", None), getattr(config, "max_position_embeddings", None)]
    known = [limit for limit in limits if isinstance(limit, int) and limit < 1_000_000]
    return Encoder(
        model,
        TextTokenizer(tokenizer, max_length=min(known, default=None)),
        modality="text",
        name=f"hf:{name}",
        pool=pool,
        origin={"name": f"hf:{name}", "tower": "text"},
    )


class _TextFeatures(nn.Module):
    """Text tower of a two-tower model."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Any:
        return self.model.get_text_features(input_ids=input_ids, attention_mask=attention_mask)  # type: ignore[operator]


def _pooling(folder: Path) -> str | None:
    """The pooling rule in a folder of sentence-transformers; ``None`` without one."""
    try:
        settings = json.loads((folder / POOLING).read_text())
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise EncoderError(f"{folder / POOLING}: cannot be read: {first_line(error)}") from error
    rule = settings.get("pooling_mode") or next((rule for key, rule in MODES.items() if settings.get(key)), None)
    if rule not in MODES.values():
        raise EncoderError(f"{folder / POOLING}: unknown pooling; use sentence-transformers:{folder}")
    return str(rule)
