"""Similarities between ``(N, D)`` representations and a ``(D,)`` reference, ``(N,)`` each.

Cosine, dot product and RBF are Mercer kernels, for which importance is a linear score in the feature space of the
kernel (Wickstrøm et al. 2023, section 3). The negative Euclidean distance is not.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from relax._support.registry import Registry
from relax.errors import ArgumentError

Similarity = Callable[[Tensor, Tensor], Tensor]


def cosine(representations: Tensor, reference: Tensor) -> Tensor:
    """``⟨a, b⟩ / (‖a‖ ‖b‖)``, in [−1, 1]; the similarity of the RELAX paper."""
    similarity: Tensor = torch.nn.functional.cosine_similarity(representations, reference[None], dim=1, eps=1e-12)
    return similarity


def along(representations: Tensor, direction: Tensor) -> Tensor:
    """``⟨a, b⟩ / ‖a‖``: the mean cosine similarity to a set of vectors if ``b`` is the mean of their unit vectors."""
    lengths = torch.linalg.vector_norm(representations, dim=1).clamp_min(1e-12)
    cosines: Tensor = representations @ direction / lengths
    return cosines


def dot(representations: Tensor, reference: Tensor) -> Tensor:
    """``⟨a, b⟩``, unbounded."""
    return representations @ reference


def euclidean(representations: Tensor, reference: Tensor) -> Tensor:
    """``−‖a − b‖``, at most 0."""
    distance: Tensor = torch.linalg.vector_norm(representations - reference, dim=1)
    return -distance


@dataclass(frozen=True)
class Rbf:
    """``exp(−gamma ‖a − b‖²)``, in (0, 1].

    Args:
        gamma: inverse squared width. By default ``1 / ‖b‖²``, so that the origin scores ``exp(−1)``.

    Raises:
        ArgumentError: ``gamma`` is not positive.
    """

    gamma: float | None = None

    def __post_init__(self) -> None:
        if self.gamma is not None and not self.gamma > 0:
            raise ArgumentError(f"expected `gamma` to be positive, got {self.gamma!r}")

    def __call__(self, representations: Tensor, reference: Tensor) -> Tensor:
        """``(N, D)`` representations and a ``(D,)`` reference to ``(N,)`` similarities."""
        squared = (representations - reference).square().sum(1)
        gamma = self.gamma if self.gamma is not None else 1 / reference.square().sum().clamp_min(1e-12)
        return torch.exp(-gamma * squared)


SIMILARITIES: Registry[Similarity] = Registry("similarity", group="relax.similarity")
SIMILARITIES.add("cosine", cosine)
SIMILARITIES.add("dot", dot)
SIMILARITIES.add("rbf", Rbf())
SIMILARITIES.add("euclidean", euclidean)

MEASURES = {
    "cosine": "cosine similarity",
    "dot": "dot product",
    "rbf": "RBF similarity",
    "euclidean": "negative Euclidean distance",
}


def ensure(similarity: str | Similarity) -> Similarity:
    """Resolve a similarity by name; a callable ``(N, D), (D,) -> (N,)`` is returned unchanged.

    Raises:
        UnknownNameError: no similarity has this name; the message lists the available ones.
        ArgumentError: neither a name nor a callable.
    """
    if isinstance(similarity, str):
        return SIMILARITIES[similarity]
    if callable(similarity):
        return similarity
    names = ", ".join(SIMILARITIES)
    raise ArgumentError(f"expected `similarity` to be a callable or one of {names}, got {similarity!r}")


def name_of(similarity: str | Similarity) -> str:
    """Name of a similarity in settings."""
    if isinstance(similarity, str):
        return similarity
    return getattr(similarity, "__name__", None) or repr(similarity)
