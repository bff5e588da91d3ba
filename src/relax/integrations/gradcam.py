"""Targets for pytorch-grad-cam: the similarity of a representation to a reference."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from relax.encoders import ensure
from relax.encoders.pooling import Pooling
from relax.references.similarity import Similarity
from relax.references.similarity import ensure as ensure_similarity


class SimilarityTarget:
    """Target for pytorch-grad-cam: ``cam(input_tensor=x, targets=[SimilarityTarget(encoder, reference)])``.

    Args:
        encoder: a :class:`relax.Encoder`, an ``nn.Module`` or a callable; its pooling is applied to the model output.
        reference: an input (a picture or a ``(C, H, W)`` tensor), or a ``(D,)`` representation.
        similarity: a name or a similarity; ``"dot"`` gives the label-free importance of Crabbé & van der Schaar
            (ICML 2022).
    """

    def __init__(self, encoder: Any, reference: Any, similarity: str | Similarity = "dot") -> None:
        encoder = ensure(encoder)
        self._pooling: Pooling = encoder.pooling
        is_representation = isinstance(reference, Tensor) and reference.ndim == 1
        self._vector: Tensor = reference if is_representation else encoder.encode(reference)[0]
        self._similarity = ensure_similarity(similarity)

    def __call__(self, output: Any) -> Tensor:
        """Similarity of one row of the model output to the reference."""
        rows = output[None] if isinstance(output, torch.Tensor) else output
        representation = self._pooling(rows, 1).float()
        return self._similarity(representation, self._vector.to(representation))[0]
