"""References that scikit-learn found: a cluster, a class."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from relax.errors import ArgumentError
from relax.references.base import Against, Context, Function, Reference, differing
from relax.references.vectors import as_vector, fitting

CENTERS = ("cluster_centers_", "means_", "centroids_")


class Cluster(Against):
    """A cluster of a fitted scikit-learn clusterer: the score is the similarity to its centre.

    Args:
        clusterer: with centres of its own (``KMeans``, ``MeanShift``, ``GaussianMixture``, ...), or with ``labels_``.
        label: of the cluster.
        foil: a label or several: the score is then the similarity to the centre less the mean one to these.
        representations: ``(N, D)`` that the clusterer was fitted on; needed where it keeps no centres.
    """

    def __init__(
        self, clusterer: Any, label: int, foil: int | list[int] | None = None, representations: Any = None
    ) -> None:
        self.name = f"cluster {label} of {type(clusterer).__name__}"
        foils = [] if foil is None else [foil] if isinstance(foil, (int, np.integer)) else list(foil)
        if foil is not None and not foils:
            raise ArgumentError("expected at least one label as foil, got none")
        if foils:
            self.name += f" rather than {', '.join(map(str, foils))}"
        self.center = _center(clusterer, label, representations)
        self.foils = [_center(clusterer, other, representations) for other in foils]

    def reference(self, context: Context) -> Reference:
        vectors = torch.stack([fitting(center, context.own) for center in (self.center, *self.foils)])
        return differing(vectors[:1], vectors[1:], context.similarity)

    def settings(self) -> dict[str, Any]:
        return {"kind": "cluster", "source": self.name}


class Class(Against):
    """A class of a fitted scikit-learn classifier on representations.

    The score is the decision function of the class where the classifier has one, and its probability otherwise. A
    linear classifier has gradients, any other needs forwards only.

    Args:
        classifier: fitted on ``(N, D)`` representations.
        label: one of its ``classes_``.
    """

    similarity = "dot"

    def __init__(self, classifier: Any, label: Any) -> None:
        classes = list(getattr(classifier, "classes_", []))
        if label not in classes:
            known = ", ".join(map(str, classes)) or "none: fit it first"
            raise ArgumentError(f"{type(classifier).__name__} has no class {label!r}; its classes: {known}")
        self.classifier = classifier
        self.label = label
        self.index = classes.index(label)
        self.n_classes = len(classes)

    def reference(self, context: Context) -> Reference:
        expected = getattr(self.classifier, "n_features_in_", len(context.own))
        if expected != len(context.own):
            raise ArgumentError(
                f"{type(self.classifier).__name__} was fitted on representations of length {expected}, "
                f"the encoder's have {len(context.own)}"
            )
        function, kind = self._linear() or self._any()
        return Function(function, f"{kind} of class {self.label}", float(context.own.norm()))

    def _linear(self) -> tuple[Callable[[Tensor], Tensor], str] | None:
        """The decision function in torch, where it is linear."""
        weights, bias = (getattr(self.classifier, name, None) for name in ("coef_", "intercept_"))
        if weights is None or np.ndim(weights) != 2 or not hasattr(self.classifier, "decision_function"):
            return None
        weights, bias = np.asarray(weights), np.broadcast_to(np.asarray(bias), len(weights))
        if len(weights) not in (1, self.n_classes):
            return None  # one against one
        row, sign = (0, 1 if self.index == 1 else -1) if len(weights) == 1 else (self.index, 1)
        w, b = torch.from_numpy(sign * weights[row]).double(), float(sign * bias[row])
        return (lambda h: h @ w.to(h) + b), "decision function"

    def _any(self) -> tuple[Callable[[Tensor], Tensor], str]:
        if hasattr(self.classifier, "decision_function"):
            return (lambda h: self._numpy(h, "decision_function")), "decision function"
        if not hasattr(self.classifier, "predict_proba"):
            raise ArgumentError(
                f"expected a classifier with predict_proba or decision_function, got {type(self.classifier).__name__}"
            )
        return (lambda h: self._numpy(h, "predict_proba")), "probability"

    def _numpy(self, representations: Tensor, method: str) -> Tensor:
        # the type that users fit on: what encode() returns
        values = getattr(self.classifier, method)(representations.detach().cpu().numpy().astype(np.float32))
        if values.ndim == 1:
            column = values if self.index == 1 else -values
        elif values.shape[1] == self.n_classes:
            column = values[:, self.index]
        else:
            raise ArgumentError(
                f"{type(self.classifier).__name__} decides one against one; use decision_function_shape='ovr'"
            )
        return torch.from_numpy(np.ascontiguousarray(column)).to(representations)

    def settings(self) -> dict[str, Any]:
        return {"kind": "class", "source": f"class {self.label} of {type(self.classifier).__name__}"}


def _center(clusterer: Any, label: int, representations: Any) -> Tensor:
    if isinstance(label, bool) or not isinstance(label, (int, np.integer)):
        raise ArgumentError(f"expected the label of a cluster to be a whole number, got {label!r}")
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
        raise ArgumentError(f"expected a fitted clusterer, got {clusterer!r}; fit it on representations first")
    if representations is None:
        raise ArgumentError(
            f"{type(clusterer).__name__} keeps no centres; give representations=, those that it was fitted on"
        )
    rows = np.asarray(representations, dtype=np.float64)
    if len(rows) != len(labels):
        raise ArgumentError(f"expected the {len(labels)} representations that were clustered, got {len(rows)}")
    members = rows[np.asarray(labels) == label]
    if not len(members):
        known = ", ".join(map(str, np.unique(labels)))
        raise ArgumentError(f"{type(clusterer).__name__} has no cluster {label!r}; its clusters: {known}")
    return as_vector(members.mean(0))
