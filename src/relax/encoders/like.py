"""What sessions need of an encoder."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import torch

from relax.encoders.batching import BatchSizer
from relax.encoders.engines.choice import Engines
from relax.encoders.pooling import Pooling
from relax.modalities.base import Modality


class EncoderLike(Protocol):
    """The part of an encoder that a session uses."""

    name: str
    model: Callable[..., Any]
    modality: Modality
    pooling: Pooling
    batch_sizes: dict[tuple[Any, ...], int]
    searches: dict[tuple[Any, ...], BatchSizer]
    precisions: dict[str, str]
    engines: Engines

    @property
    def device(self) -> torch.device:
        """Device of the model."""

    @property
    def dtype(self) -> torch.dtype:
        """Dtype of the model."""
