"""Base classes of references: scores of representations, and how to build them for an encoder."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Protocol

import torch
from torch import Tensor

from relax._support.warning import warn
from relax.encoders import Encoder, Session
from relax.errors import EncoderError
from relax.references import similarity as similarity_
from relax.references.similarity import Similarity

CANCELLED = 1e-6
"""Length of a weighted sum, relative to its terms, at or below which it counts as rounding error."""


class Reference(Protocol):
    """Scores representations."""

    @property
    def measure(self) -> str:
        """What the score measures, such as "cosine similarity"."""

    @property
    def scale(self) -> float:
        """Typical magnitude of the score, relative to which gradients are judged to vanish."""

    @property
    def constant(self) -> bool:
        """Whether every representation gets the same score, and the user has been warned about it."""

    def score(self, representations: Tensor) -> Tensor:
        """Score representations.

        Args:
            representations: ``(N, D)``.

        Returns:
            ``(N,)`` scores, float64 where the device supports it.

        Raises:
            EncoderError: the representations have the wrong length, or there is not one score per row.
        """


@dataclass(frozen=True, eq=False)
class Vectors:
    """A weighted sum of similarities to vectors, ``s(h̃) = Σ_k w_k s(h̃, v_k)``.

    Args:
        vectors: ``(K, D)``: one for the input itself (RELAX) or another input, several for a corpus.
        similarity: maps ``(N, D)`` and ``(D,)`` to ``(N,)``, computed in double precision.
        weights: ``(K,)``; by default 1 each.
        measure: what the score measures, such as "cosine similarity".
        constant: whether the vectors cancel out, so that every score is 0.
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
        """``(N, D)`` representations to ``(N,)`` scores; see :meth:`Reference.score`."""
        dtype = score_dtype(representations)
        _check_length(representations, self.vectors.shape[1])
        weights = [1.0] * len(self.vectors) if self.weights is None else self.weights.tolist()
        rows = representations.to(dtype)
        total = rows.new_zeros(len(rows))
        for vector, weight in zip(self.vectors.to(dtype), weights, strict=True):
            scores = self.similarity(rows, vector)
            check_scores(scores, rows, "the similarity")
            total = total + weight * scores
        return total


@dataclass(frozen=True, eq=False)
class Function:
    """A reference defined by a function of representations.

    Args:
        function: maps ``(N, D)`` to ``(N,)``.
        measure: what the score measures, such as "cosine similarity".
        scale: typical magnitude of the score.
        constant: whether every representation gets the same score.
    """

    function: Callable[[Tensor], Tensor]
    measure: str
    scale: float = 1.0
    constant: bool = False

    def score(self, representations: Tensor) -> Tensor:
        """``(N, D)`` representations to ``(N,)`` scores; see :meth:`Reference.score`."""
        scores = self.function(representations.to(score_dtype(representations)))
        check_scores(scores, representations, self.measure)
        return scores


class Unset:
    """Placeholder until the representation of the input, which references are built from, is available."""

    measure = "nothing"
    scale = 1.0
    constant = False

    def score(self, representations: Tensor) -> Tensor:
        """Always fails.

        Raises:
            EncoderError: the reference has not been set.
        """
        raise EncoderError("the reference is not set yet; encode the input first")


@dataclass(frozen=True, eq=False)
class Context:
    """What references are built from.

    Attributes:
        encoder: the encoder.
        session: its open session.
        own: ``(D,)``, the representation of the explained input.
        similarity: the similarity chosen by the user, or else by the method.
    """

    encoder: Encoder
    session: Session
    own: Tensor
    similarity: str | Similarity


class Against(ABC):
    """What an input is compared with; yields a :class:`Reference` for one encoder and one input.

    Attributes:
        similarity: the similarity that it requires; ``None`` if it works with any.
        signed: whether parts of the input may raise or lower the score, so that the maps have a neutral value.
        itself: whether it is the input itself, the default.
    """

    similarity: str | None = None
    signed: bool = True
    itself: bool = False

    @abstractmethod
    def reference(self, context: Context) -> Reference:
        """Build the reference on the session's device.

        Raises:
            ArgumentError: it does not fit the encoder's representations.
        """

    @abstractmethod
    def settings(self) -> dict[str, Any]:
        """JSON-able description, with a short phrase under ``"source"``."""

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.settings()['source']})"


def weighted(vectors: Tensor, weights: Tensor | None, similarity: str | Similarity) -> Vectors:
    """A weighted sum of similarities, reduced to one vector where the similarity is linear in it (COCOA).

    ``Σ w_k ⟨h, v_k⟩ = ⟨h, Σ w_k v_k⟩``, and the same with unit vectors for the cosine.

    Args:
        vectors: ``(K, D)``.
        weights: ``(K,)``; by default 1 each.
        similarity: name of a similarity, or a callable.
    """
    measure = similarity_.MEASURES.get(similarity_.name_of(similarity), "score")
    if len(vectors) == 1 and weights is None:
        return Vectors(vectors, similarity_.ensure(similarity), measure=measure)
    dtype = score_dtype(vectors)
    vectors = vectors.to(dtype)
    weights = vectors.new_ones(len(vectors)) if weights is None else weights.to(vectors)
    if similarity == "dot":
        return _combined(weights, vectors, similarity_.dot, measure)
    if similarity == "cosine":
        return _combined(weights, torch.nn.functional.normalize(vectors, dim=1), similarity_.along, measure)
    return Vectors(vectors, similarity_.ensure(similarity), weights, measure)


def _combined(weights: Tensor, vectors: Tensor, similarity: Similarity, measure: str) -> Vectors:
    """The weighted sum as one vector; zero, with a warning, if the terms cancel out up to rounding."""
    total: Tensor = weights @ vectors
    if float(total.norm()) > CANCELLED * float(weights.abs() @ vectors.norm(dim=1)):
        return Vectors(total[None], similarity, measure=measure)
    warn("the reference cancels out (such as a corpus and a foil with the same mean), so every score is 0")
    return Vectors(torch.zeros_like(total)[None], similarity, measure=measure, constant=True)


def differing(vectors: Tensor, foil: Tensor, similarity: str | Similarity) -> Vectors:
    """The mean similarity to vectors minus the mean similarity to a foil.

    Args:
        vectors: ``(K, D)``.
        foil: ``(L, D)``; ``L`` may be 0.
        similarity: name of a similarity, or a callable.
    """
    if len(vectors) == 1 and not len(foil):
        return weighted(vectors, None, similarity)
    signs = ((vectors, 1), (foil, -1))
    weights = torch.cat([group.new_full((len(group),), sign / max(len(group), 1)) for group, sign in signs])
    reference = weighted(torch.cat([vectors, foil]), weights, similarity)
    mean = "mean " if max(len(vectors), len(foil)) > 1 else ""
    measure = f"{mean}{reference.measure}"
    return replace(reference, measure=f"difference of {measure}" if len(foil) else measure)


def score_dtype(tensor: Tensor) -> torch.dtype:
    """Dtype for scores on the tensor's device: float64, or float32 where the device has no float64."""
    return torch.float32 if tensor.device.type == "mps" else torch.float64


def check_scores(scores: Tensor, representations: Tensor, what: str) -> None:
    """Check that there is one score per row.

    Args:
        scores: what a similarity or function returned, expected ``(N,)``.
        representations: ``(N, D)``.
        what: what returned the scores, for the message.

    Raises:
        EncoderError: ``scores`` is not a tensor of shape ``(N,)``.
    """
    if not isinstance(scores, Tensor):
        raise EncoderError(f"expected {what} to return a tensor of one score a row, got {type(scores).__name__}")
    if scores.shape != representations.shape[:1]:
        raise EncoderError(
            f"expected {what} to return shape ({representations.shape[0]},), one score per row, "
            f"got {tuple(scores.shape)}"
        )


def _check_length(representations: Tensor, length: int) -> None:
    if representations.shape[1] != length:
        raise EncoderError(
            f"expected representations of length {length}, as for the reference, got {representations.shape[1]}; "
            "the encoder must return the same length for all inputs"
        )
