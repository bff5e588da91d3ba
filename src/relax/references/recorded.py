"""A reference that remembers what it was shown, for what is computed from the same forwards."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from relax.references.base import Against, Context, Reference


class Recorded(Against):
    """Another reference, and everything that was compared with it.

    explain() scores the masks of each block in their order, and the whole input last.

    Args:
        against: the reference.
    """

    def __init__(self, against: Against) -> None:
        self.against = against
        self.similarity, self.signed, self.itself = against.similarity, against.signed, against.itself

    def reference(self, context: Context) -> Reference:
        self._recorder = _Recorder(self.against.reference(context))
        return self._recorder

    def settings(self) -> dict[str, Any]:
        return self.against.settings()

    def representations(self) -> Tensor:
        """``(N, D)`` of the masked inputs."""
        return torch.cat(self._recorder.representations[:-1])

    def scores(self) -> Tensor:
        """``(N,)`` of the masked inputs."""
        return torch.cat(self._recorder.scores[:-1])


class _Recorder:
    def __init__(self, reference: Reference) -> None:
        self._reference = reference
        self.units, self.scale, self.constant = reference.units, reference.scale, reference.constant
        self.representations: list[Tensor] = []
        self.scores: list[Tensor] = []

    def score(self, representations: Tensor) -> Tensor:
        scores = self._reference.score(representations)
        self.representations.append(representations)
        self.scores.append(scores)
        return scores
