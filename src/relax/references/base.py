"""What a reference is: a score for every representation, and how to get one for an encoder."""

from __future__ import annotations

import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Protocol

import torch
from torch import Tensor

from relax.encoders import Encoder, Session
from relax.errors import EncoderError, RelaxWarning
from relax.references import similarity as similarity_
from relax.references.similarity import Similarity

CANCELLED = 1e-6
"""Share of a weighted sum's terms below which its length is rounding."""


class Reference(Protocol):
    """What the loop asks of a reference."""

    @property
    def measure(self) -> str:
        """What the score measures, such as "cosine similarity"."""

    @property
    def scale(self) -> float:
        """A typical size of the score, beside which a gradient is nothing."""

    @property
    def constant(self) -> bool:
        """Whether it gives every representation the same score, and has said so."""

    def score(self, representations: Tensor) -> Tensor:
        """``(N, D)`` representations to ``(N,)`` float64 scores."""


@dataclass(frozen=True, eq=False)
class Vectors:
    """A weighted sum of similarities to vectors, ``s(h̃) = Σ_k w_k s(h̃, v_k)``.

    Args:
        vectors: ``(K, D)``: one for the input itself (RELAX) or another input; several for a corpus.
        similarity: ``(N, D), (D,) -> (N,)``, computed in double precision.
        weights: ``(K,)``; 1 for each if not given.
        measure: what the score measures, such as "cosine similarity".
        constant: whether the vectors cancel out.
    """

    vectors: Tensor
    similarity: Similarity
    weights: Tensor | None = None
    measure: str = "score"
    constant: bool = False

    @property
    def scale(self) -> float:
        """Length of the longest vector."""
        return float(torch.linalg.vector_norm(self.vectors, dim=1).max())

    def score(self, representations: Tensor) -> Tensor:
        dtype = precise(representations)
        _check_length(representations, self.vectors.shape[1])
        weights = [1.0] * len(self.vectors) if self.weights is None else self.weights.tolist()
        rows = representations.to(dtype)
        total = rows.new_zeros(len(rows))
        for vector, weight in zip(self.vectors.to(dtype), weights, strict=True):
            part = self.similarity(rows, vector)
            check_scores(part, rows, "the similarity")
            total = total + weight * part
        return total


@dataclass(frozen=True, eq=False)
class Function:
    """Any function of representations.

    Args:
        function: ``(N, D) -> (N,)``.
        measure: what the score measures, such as "cosine similarity".
        scale: a typical size of the score.
        constant: whether it is the same for all.
    """

    function: Callable[[Tensor], Tensor]
    measure: str
    scale: float = 1.0
    constant: bool = False

    def score(self, representations: Tensor) -> Tensor:
        scores = self.function(representations.to(precise(representations)))
        check_scores(scores, representations, self.measure)
        return scores


class Unset:
    """The place of a reference that is not known yet, since it needs the input's representation."""

    measure = "nothing"
    scale = 1.0
    constant = False

    def score(self, representations: Tensor) -> Tensor:
        raise EncoderError("the reference is not known yet")


@dataclass(frozen=True, eq=False)
class Context:
    """What a reference can be made from.

    Attributes:
        encoder: the encoder.
        session: the encoder at work.
        own: ``(D,)``, the representation of the input that is explained.
        similarity: the one that the user asked for, or the method's.
    """

    encoder: Encoder
    session: Session
    own: Tensor
    similarity: str | Similarity


class Against(ABC):
    """What a user compares an input with; becomes a :class:`Reference` for one encoder and one input.

    Attributes:
        similarity: the similarity that belongs to it; ``None`` if it goes with any.
        signed: whether parts of the input may pull towards it or push away, so that the maps have a neutral value.
        itself: whether it is the input itself, which goes without saying.
    """

    similarity: str | None = None
    signed: bool = True
    itself: bool = False

    @abstractmethod
    def reference(self, context: Context) -> Reference:
        """The reference, on the session's device."""

    @abstractmethod
    def settings(self) -> dict[str, Any]:
        """JSON-able description, with a few words under ``"source"``."""

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.settings()['source']})"


def weighted(vectors: Tensor, weights: Tensor | None, similarity: str | Similarity) -> Vectors:
    """A weighted sum of similarities, by one mean vector where the similarity is linear in it (COCOA).

    ``Σ w_k ⟨h, v_k⟩ = ⟨h, Σ w_k v_k⟩``, and for the cosine the same with vectors of length one.
    """
    measure = similarity_.MEASURES.get(similarity_.name_of(similarity), "score")
    if len(vectors) == 1 and weights is None:
        return Vectors(vectors, similarity_.ensure(similarity), measure=measure)
    dtype = precise(vectors)
    vectors = vectors.to(dtype)
    weights = vectors.new_ones(len(vectors)) if weights is None else weights.to(vectors)
    if similarity == "dot":
        return _combined(weights, vectors, similarity_.dot, measure)
    if similarity == "cosine":
        return _combined(weights, torch.nn.functional.normalize(vectors, dim=1), similarity_.along, measure)
    return Vectors(vectors, similarity_.ensure(similarity), weights, measure)


def _combined(weights: Tensor, vectors: Tensor, similarity: Similarity, measure: str) -> Vectors:
    """The weighted sum as one vector; exactly zero, with a warning, where what is left of it is rounding."""
    total: Tensor = weights @ vectors
    if float(total.norm()) > CANCELLED * float(weights.abs() @ vectors.norm(dim=1)):
        return Vectors(total[None], similarity, measure=measure)
    warnings.warn(
        "what the input is compared with cancels out, such as a corpus and a foil with one mean: every score is 0",
        RelaxWarning,
        stacklevel=2,
    )
    return Vectors(torch.zeros_like(total)[None], similarity, measure=measure, constant=True)


def differing(vectors: Tensor, foil: Tensor, similarity: str | Similarity) -> Vectors:
    """The mean similarity to vectors less the mean similarity to a foil, ``(K, D)`` and ``(L, D)``; L may be 0."""
    if len(vectors) == 1 and not len(foil):
        return weighted(vectors, None, similarity)
    signs = ((vectors, 1), (foil, -1))
    weights = torch.cat([group.new_full((len(group),), sign / max(len(group), 1)) for group, sign in signs])
    made = weighted(torch.cat([vectors, foil]), weights, similarity)
    mean = "mean " if max(len(vectors), len(foil)) > 1 else ""
    return replace(made, measure=f"difference of {mean}{made.measure}" if len(foil) else f"{mean}{made.measure}")


def precise(tensor: Tensor) -> torch.dtype:
    """Double precision, where the device has it."""
    return torch.float32 if tensor.device.type == "mps" else torch.float64


def check_scores(scores: Tensor, representations: Tensor, what: str) -> None:
    """Raise unless there is one score a row."""
    if not isinstance(scores, Tensor):
        raise EncoderError(f"expected {what} to return a tensor of one score a row, got {type(scores).__name__}")
    if scores.shape != representations.shape[:1]:
        raise EncoderError(
            f"expected {what} to return shape ({representations.shape[0]},), one score a row, got {tuple(scores.shape)}"
        )


def _check_length(representations: Tensor, length: int) -> None:
    if representations.shape[1] != length:
        raise EncoderError(
            f"expected representations of length {length}, as of the reference, got {representations.shape[1]}; "
            "the encoder must return one length for all inputs"
        )
