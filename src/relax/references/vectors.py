"""References in representation space: a point, a direction, one coordinate."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from relax.errors import ArgumentError
from relax.references.base import Against, Context, Function, Reference, weighted


class Point(Against):
    """A representation, such as the mean of a group: the score is the similarity to it.

    Args:
        vector: ``(D,)``.
        name: what to call it in results.
    """

    def __init__(self, vector: Any, name: str = "a representation") -> None:
        self.vector = as_vector(vector)
        self.name = name
        if not float(self.vector.norm()) > 0:
            raise ArgumentError("expected a representation, got the zero vector")

    def reference(self, context: Context) -> Reference:
        return weighted(fitting(self.vector, context.own)[None], None, context.similarity)

    def settings(self) -> dict[str, Any]:
        return {"kind": "point", "source": self.name}


class Direction(Against):
    """How far along a direction: the score is ``⟨h̃ − origin, v⟩ / ‖v‖``.

    A concept vector, the difference of two group means, the normal of a linear probe, a principal component.

    Args:
        vector: ``(D,)``, not zero.
        origin: ``(D,)``, where the score is 0; the zero vector if not given.
        name: what to call it in results.
    """

    similarity = "dot"

    def __init__(self, vector: Any, origin: Any = None, name: str = "a direction") -> None:
        self.vector = as_vector(vector)
        self.origin = torch.zeros_like(self.vector) if origin is None else as_vector(origin)
        if not float(self.vector.norm()) > 0:
            raise ArgumentError("expected a direction, got the zero vector")
        if self.origin.shape != self.vector.shape:
            raise ArgumentError(f"expected an origin of length {len(self.vector)}, got {len(self.origin)}")
        self.name = name

    @classmethod
    def component(cls, decomposition: Any, index: int) -> Direction:
        """A component of a fitted scikit-learn decomposition, such as ``PCA``: the score is the input's coordinate.

        Args:
            decomposition: with ``components_``, and ``mean_`` if it centres; whitening is left out.
            index: of the component.
        """
        components = getattr(decomposition, "components_", None)
        if components is None:
            raise ArgumentError(
                f"expected a fitted decomposition with `components_`, got {decomposition!r}; fit it first"
            )
        if not isinstance(index, (int, np.integer)) or not -len(components) <= index < len(components):
            raise ArgumentError(f"expected a component below {len(components)}, got {index!r}")
        index = int(index) % len(components)
        name = f"component {index} of {type(decomposition).__name__}"
        return cls(components[index], getattr(decomposition, "mean_", None), name)

    def reference(self, context: Context) -> Reference:
        vector, origin = (fitting(v, context.own).double() for v in (self.vector, self.origin))
        unit = vector / vector.norm()

        def along(representations: Tensor) -> Tensor:
            coordinates: Tensor = (representations - origin.to(representations)) @ unit.to(representations)
            return coordinates

        return Function(along, f"coordinate along {self.name}", float(context.own.norm()))

    def settings(self) -> dict[str, Any]:
        return {"kind": "direction", "source": self.name}


class Dimension(Against):
    """One coordinate of the representation.

    Args:
        index: from 0; negative ones count from the end.
    """

    similarity = "dot"

    def __init__(self, index: int) -> None:
        if isinstance(index, bool) or not isinstance(index, (int, np.integer)):
            raise ArgumentError(f"expected the index of a dimension, got {index!r}")
        self.index = int(index)

    def reference(self, context: Context) -> Reference:
        length = len(context.own)
        if not -length <= self.index < length:
            raise ArgumentError(f"expected a dimension below {length}, the length of representations, got {self.index}")
        return Function(lambda h: h[:, self.index], f"dimension {self.index}", float(context.own.abs().max()))

    def settings(self) -> dict[str, Any]:
        return {"kind": "dimension", "source": f"dimension {self.index}", "index": self.index}


def as_vector(values: Any) -> Tensor:
    """``(D,)`` float tensor of finite values, from a tensor, an array or a list."""
    try:
        vector = torch.as_tensor(values).detach().double().cpu()
    except (TypeError, ValueError, RuntimeError) as error:
        raise ArgumentError(f"expected a vector of numbers, got {type(values).__name__}") from error
    if vector.ndim != 1 or not len(vector) or not bool(torch.isfinite(vector).all()):
        wrong = f"one of shape {tuple(vector.shape)}" if vector.ndim != 1 or not len(vector) else "NaN or infinite ones"
        raise ArgumentError(f"expected a vector of finite numbers, got {wrong}")
    return vector


def fitting(vector: Tensor, own: Tensor) -> Tensor:
    """The vector beside representations like ``own``: on their device, of their length."""
    if len(vector) != len(own):
        raise ArgumentError(
            f"expected a vector of length {len(own)}, as the encoder's representations, got {len(vector)}"
        )
    return vector.to(own)
