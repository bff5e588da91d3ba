"""References from fitted scikit-learn models: a cluster or a class."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from relax.errors import ArgumentError
from relax.references.base import Against, Context, Function, Reference, differing
from relax.references.vectors import as_vector, match_representation

CENTERS = ("cluster_centers_", "means_", "centroids_")
"""Attributes in which clusterers keep their centres."""


class Cluster(Against):
    """A cluster of a fitted scikit-learn clusterer: the score is the similarity to its centre.

    Args:
        clusterer: a clusterer that keeps its centres (``KMeans``, ``MeanShift``, ``GaussianMixture``, ...) or
            ``labels_``.
        label: label of the cluster.
        foil: label or labels of other clusters; their mean similarity is subtracted from the score.
        representations: ``(N, D)``, the representations that the clusterer was fitted on; required if it keeps no
            centres.

    Raises:
        ArgumentError: the clusterer is not fitted, has no such cluster, or needs ``representations``.
    """

    def __init__(
        self, clusterer: Any, label: int, foil: int | list[int] | None = None, representations: Any = None
    ) -> None:
        self.name = f"cluster {label} of {type(clusterer).__name__}"
        foils = [] if foil is None else [foil] if isinstance(foil, (int, np.integer)) else list(foil)
        if foil is not None and not foils:
            raise ArgumentError("expected at least one label as `foil`, got none")
        if foils:
            self.name += f" rather than {', '.join(map(str, foils))}"
        self.center = _center(clusterer, label, representations)
        self.foils = [_center(clusterer, other, representations) for other in foils]

    def reference(self, context: Context) -> Reference:
        vectors = torch.stack([match_representation(center, context.own) for center in (self.center, *self.foils)])
        return differing(vectors[:1], vectors[1:], context.similarity)

    def settings(self) -> dict[str, Any]:
        return {"kind": "cluster", "source": self.name}


class Class(Against):
    """A class of a scikit-learn classifier fitted on representations.

    The score is the decision function of the class if the classifier has one, and its probability otherwise. Only
    linear classifiers are differentiable; the others work with methods that need no gradients.

    Args:
        classifier: a classifier fitted on ``(N, D)`` representations.
        label: one of its ``classes_``.

    Raises:
        ArgumentError: the classifier is not fitted or has no such class.
    """

    similarity = "dot"

    def __init__(self, classifier: Any, label: Any) -> None:
        classes = list(getattr(classifier, "classes_", []))
        if label not in classes:
            available = ", ".join(map(str, classes)) or "none; fit it first"
            raise ArgumentError(f"{type(classifier).__name__} has no class {label!r}; its classes: {available}")
        self.classifier = classifier
        self.label = label
        self.index = classes.index(label)
        self.n_classes = len(classes)

    def reference(self, context: Context) -> Reference:
        expected = getattr(self.classifier, "n_features_in_", len(context.own))
        if expected != len(context.own):
            raise ArgumentError(
                f"expected representations of length {expected}, which {type(self.classifier).__name__} was fitted on, "
                f"got {len(context.own)}; fit it on representations of this encoder"
            )
        function, kind = self._linear_score() or self._sklearn_score()
        return Function(function, f"{kind} of class {self.label}", float(context.own.norm()))

    def _linear_score(self) -> tuple[Callable[[Tensor], Tensor], str] | None:
        """The decision function in torch, ``(N, D)`` to ``(N,)``; ``None`` if it is not linear."""
        weights, bias = (getattr(self.classifier, name, None) for name in ("coef_", "intercept_"))
        if weights is None or np.ndim(weights) != 2 or not hasattr(self.classifier, "decision_function"):
            return None
        weights, bias = np.asarray(weights), np.broadcast_to(np.asarray(bias), len(weights))
        if len(weights) not in (1, self.n_classes):
            return None  # one-vs-one
        row, sign = (0, 1 if self.index == 1 else -1) if len(weights) == 1 else (self.index, 1)
        w, b = torch.from_numpy(sign * weights[row]).double(), float(sign * bias[row])
        return (lambda h: h @ w.to(h) + b), "decision function"

    def _sklearn_score(self) -> tuple[Callable[[Tensor], Tensor], str]:
        """The decision function or the probability, computed by scikit-learn without gradients."""
        if hasattr(self.classifier, "decision_function"):
            return (lambda h: self._evaluate(h, "decision_function")), "decision function"
        if not hasattr(self.classifier, "predict_proba"):
            raise ArgumentError(
                f"expected a classifier with predict_proba or decision_function, got {type(self.classifier).__name__}"
            )
        return (lambda h: self._evaluate(h, "predict_proba")), "probability"

    def _evaluate(self, representations: Tensor, method: str) -> Tensor:
        """Column of this class in the output of a method of the classifier, ``(N,)``."""
        # float32, the dtype of encode()
        values = getattr(self.classifier, method)(representations.detach().cpu().numpy().astype(np.float32))
        if values.ndim == 1:
            column = values if self.index == 1 else -values
        elif values.shape[1] == self.n_classes:
            column = values[:, self.index]
        else:
            raise ArgumentError(
                f"{type(self.classifier).__name__} compares classes one-vs-one; use decision_function_shape='ovr'"
            )
        return torch.from_numpy(np.ascontiguousarray(column)).to(representations)

    def settings(self) -> dict[str, Any]:
        return {"kind": "class", "source": f"class {self.label} of {type(self.classifier).__name__}"}


def _center(clusterer: Any, label: int, representations: Any) -> Tensor:
    """Centre of a cluster, ``(D,)``: the clusterer's own, or the mean of its members."""
    if isinstance(label, bool) or not isinstance(label, (int, np.integer)):
        raise ArgumentError(f"expected the label of a cluster to be an integer, got {label!r}")
    for name in CENTERS:
        centers = getattr(clusterer, name, None)
        if centers is not None:
            if not 0 <= label < len(centers):
                raise ArgumentError(
                    f"{type(clusterer).__name__} has no cluster {label!r}; its clusters: 0 to {len(centers) - 1}"
                )
            return as_vector(centers[label])
    labels = getattr(clusterer, "labels_", None)
    if labels is None:
        raise ArgumentError(f"expected a fitted clusterer, got {clusterer!r}; fit it first")
    if representations is None:
        raise ArgumentError(
            f"{type(clusterer).__name__} keeps no centres; pass representations=, the ones that it was fitted on"
        )
    rows = np.asarray(representations, dtype=np.float64)
    if len(rows) != len(labels):
        raise ArgumentError(f"expected {len(labels)} representations, one per label of the clusterer, got {len(rows)}")
    members = rows[np.asarray(labels) == label]
    if not len(members):
        available = ", ".join(map(str, np.unique(labels)))
        raise ArgumentError(f"{type(clusterer).__name__} has no cluster {label!r}; its clusters: {available}")
    return as_vector(members.mean(0))
