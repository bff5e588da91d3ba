"""What fills need of modalities, encoders and sessions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from torch import Tensor

from relax.modalities.batches import Batch
from relax.modalities.prepared import Prepared


class Prepares(Protocol):
    """Interface of a modality or encoder that preprocesses inputs."""

    @property
    def transform(self) -> Any:
        """Preprocessing from a presentation to a tensor; ``None`` without one."""

    def prepare(self, source: Any) -> Prepared:
        """Read and preprocess one input."""


class Runs(Protocol):
    """Interface of a session, which encodes batches."""

    def run(self, n: int, key: tuple[Any, ...], step: Callable[[slice], Tensor]) -> Tensor:
        """Run ``step`` over ``n`` rows in batches; ``key`` identifies the best batch size."""

    def __call__(self, batch: Batch) -> Tensor:
        """Encode a batch in one forward, ``(N, D)``."""
