"""References: what the representation of a masked input is compared with."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from relax.errors import EncoderError
from relax.similarity import Similarity


@dataclass(frozen=True)
class Reference:
    """One vector in representation space and the similarity to it.

    Args:
        vector: ``(D,)``: the representation of the input itself (RELAX), or of another input.
        similarity: ``(N, D), (D,) -> (N,)``, computed in double precision.
    """

    vector: Tensor
    similarity: Similarity

    def score(self, representations: Tensor) -> Tensor:
        """``(N, D)`` representations to ``(N,)`` float64 scores."""
        dtype = torch.float32 if representations.device.type == "mps" else torch.float64
        if representations.shape[1] != self.vector.shape[0]:
            raise EncoderError(
                f"expected representations of length {self.vector.shape[0]}, as of the unmasked input, "
                f"got {representations.shape[1]}; the encoder must return one length for all inputs"
            )
        scores = self.similarity(representations.to(dtype), self.vector.to(dtype))
        if scores.shape != representations.shape[:1]:
            raise EncoderError(
                f"expected the similarity to return shape ({representations.shape[0]},), one score a row, "
                f"got {tuple(scores.shape)}"
            )
        return scores
