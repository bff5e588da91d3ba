"""Expose the score as a function that other libraries can call and differentiate."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from relax.encoders import Encoder, ensure
from relax.errors import ArgumentError
from relax.references import Reference, Vectors
from relax.references.similarity import Similarity
from relax.references.similarity import ensure as ensure_similarity


class Scorer(nn.Module):
    """Maps a batch of inputs to the scores that a reference gives their representations.

    Args:
        represent: maps ``(N, C, H, W)`` inputs to ``(N, D)`` representations.
        reference: maps representations to scores.
        model: the module behind ``represent``, for libraries that add hooks to submodules.
    """

    def __init__(
        self,
        represent: Callable[[Tensor], Tensor],
        reference: Reference,
        model: Any = None,
    ) -> None:
        super().__init__()
        self.represent = represent
        self.reference = reference
        if isinstance(model, nn.Module):
            self.model = model

    def forward(self, inputs: Tensor, vectors: Tensor | None = None) -> Tensor:
        """Score a batch of inputs.

        Args:
            inputs: ``(N, C, H, W)``.
            vectors: ``(N, D)``, one vector per row to compare with instead of the reference's. Passed as Captum's
                ``additional_forward_args``, they are repeated along with the inputs.

        Returns:
            ``(N,)`` scores.

        Raises:
            ArgumentError: ``vectors`` are given, but the reference is not made of vectors.
        """
        representations = self.represent(inputs)
        if vectors is None:
            return self.reference.score(representations).to(representations)
        if not isinstance(self.reference, Vectors):
            raise ArgumentError(
                f"expected a reference made of vectors, since `vectors` are given, got {type(self.reference).__name__}"
            )
        rows = zip(representations[:, None], vectors.to(representations), strict=True)
        return torch.cat([self.reference.similarity(row, vector) for row, vector in rows])


def similarity_forward(encoder: Any, reference: Any, similarity: str | Similarity = "dot") -> Scorer:
    """A differentiable forward function for Captum and others: similarity of a representation to a reference.

    Args:
        encoder: an :class:`Encoder`, an ``nn.Module`` or a callable. Put it in eval mode first.
        reference: an input (an image or a ``(C, H, W)`` tensor), or a ``(D,)`` representation.
        similarity: a name or a callable. ``"dot"`` gives the label-free importance of Crabbé & van der Schaar (ICML
            2022). The gradient of the cosine similarity to an input's own representation is zero at that input.

    Returns:
        A module from ``(N, C, H, W)`` inputs to ``(N,)`` scores.

    Raises:
        InputError: the reference cannot be read or encoded.
        UnknownNameError: no similarity has this name.

    Example:
        >>> import torch, relax
        >>> from captum.attr import Saliency
        >>> encoder = relax.Encoder(torch.nn.Conv2d(3, 8, 3).eval())
        >>> x = torch.rand(3, 16, 16)
        >>> Saliency(relax.similarity_forward(encoder, x)).attribute(x[None]).shape
        torch.Size([1, 3, 16, 16])
    """
    encoder = ensure(encoder)
    if isinstance(reference, Tensor) and reference.ndim == 1:
        vector = reference
    else:
        vector = encoder.encode(reference)[0].to(encoder.device)

    def represent(inputs: Tensor) -> Tensor:
        return _represent(encoder, inputs)

    return Scorer(represent, Vectors(vector[None], ensure_similarity(similarity)), encoder.model)


def _represent(encoder: Encoder, inputs: Tensor) -> Tensor:
    output = encoder.modality.call(encoder.model, inputs.to(encoder.dtype))
    return encoder.pooling(output, len(inputs)).float()
