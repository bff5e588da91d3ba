"""The score as a function that other libraries can call and differentiate."""

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
    """From a batch of inputs to one score a row: what a reference says of their representations.

    Args:
        represent: ``(N, C, H, W) -> (N, D)``.
        reference: from representations to scores.
        model: the module behind ``represent``, for libraries that put hooks on submodules.
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
        """``(N,)`` scores.

        Args:
            inputs: ``(N, C, H, W)``.
            vectors: ``(N, D)``: for each row a vector to be similar to, instead of the one for all. Given as Captum's
                ``additional_forward_args``, Captum repeats them in the order in which it repeats the inputs.
        """
        representations = self.represent(inputs)
        if vectors is None:
            return self.reference.score(representations).to(representations)
        if not isinstance(self.reference, Vectors):
            raise ArgumentError("vectors for each row need a reference that is a similarity to a vector")
        rows = zip(representations[:, None], vectors.to(representations), strict=True)
        return torch.cat([self.reference.similarity(row, vector) for row, vector in rows])


def similarity_forward(encoder: Any, reference: Any, similarity: str | Similarity = "dot") -> Scorer:
    """A forward function for Captum and others: similarity of an input's representation to a reference.

    Args:
        encoder: an :class:`Encoder`, an ``nn.Module`` or a callable. It is called as it is: put it in eval mode.
        reference: an input (a picture or a ``(C, H, W)`` tensor), or a ``(D,)`` representation.
        similarity: ``"dot"`` is the label-free importance of Crabbé & van der Schaar (ICML 2022). The gradient of
            the cosine similarity to an input's own representation is zero at that input.

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
