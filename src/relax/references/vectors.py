"""References in representation space: a point, a direction or one dimension."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from relax.errors import ArgumentError
from relax.references.base import Against, Context, Function, Reference, weighted


class Point(Against):
    """A representation, such as a group mean: the score is the similarity to it.

    Args:
        vector: ``(D,)``, finite and not zero.
        name: name in results.

    Raises:
        ArgumentError: ``vector`` is not a finite, non-zero vector.
    """

    def __init__(self, vector: Any, name: str = "a representation") -> None:
        self.vector = as_vector(vector)
        self.name = name
        if not float(self.vector.norm()) > 0:
            raise ArgumentError("expected a representation, got the zero vector")

    def reference(self, context: Context) -> Reference:
        return weighted(match_representation(self.vector, context.own)[None], None, context.similarity)

    def settings(self) -> dict[str, Any]:
        return {"kind": "point", "source": self.name}


class Direction(Against):
    """A direction: the score is the coordinate along it, ``⟨h̃ − origin, v⟩ / ‖v‖``.

    Use it for a concept vector, the difference of two group means, the normal of a linear probe or a principal
    component.

    Args:
        vector: ``(D,)``, finite and not zero.
        origin: ``(D,)``, where the score is 0; by default the zero vector.
        name: name in results.

    Raises:
        ArgumentError: an argument is not a finite vector, ``vector`` is zero, or their lengths differ.
    """

    similarity = "dot"

    def __init__(self, vector: Any, origin: Any = None, name: str = "a direction") -> None:
        self.vector = as_vector(vector)
        self.origin = torch.zeros_like(self.vector) if origin is None else as_vector(origin)
        if not float(self.vector.norm()) > 0:
            raise ArgumentError("expected a direction, got the zero vector")
        if self.origin.shape != self.vector.shape:
            raise ArgumentError(
                f"expected an origin of length {len(self.vector)}, the length of `vector`, got {len(self.origin)}"
            )
        self.name = name

    @classmethod
    def component(cls, decomposition: Any, index: int) -> Direction:
        """The direction of a component of a fitted scikit-learn decomposition, such as ``PCA``.

        Args:
            decomposition: has ``components_``, and ``mean_`` if it centres the data; whitening is ignored.
            index: index of the component; negative ones count from the end.

        Raises:
            ArgumentError: the decomposition is not fitted or has no such component.
        """
        components = getattr(decomposition, "components_", None)
        if components is None:
            raise ArgumentError(
                f"expected a fitted decomposition with `components_`, got {decomposition!r}; fit it first"
            )
        if (
            isinstance(index, bool)
            or not isinstance(index, (int, np.integer))
            or not -len(components) <= index < len(components)
        ):
            raise ArgumentError(
                f"expected a component index from {-len(components)} to {len(components) - 1}, got {index!r}"
            )
        index = int(index) % len(components)
        name = f"component {index} of {type(decomposition).__name__}"
        return cls(components[index], getattr(decomposition, "mean_", None), name)

    def reference(self, context: Context) -> Reference:
        vector, origin = (match_representation(v, context.own).double() for v in (self.vector, self.origin))
        unit = vector / vector.norm()

        def along(representations: Tensor) -> Tensor:
            coordinates: Tensor = (representations - origin.to(representations)) @ unit.to(representations)
            return coordinates

        return Function(along, f"coordinate along {self.name}", float(context.own.norm()))

    def settings(self) -> dict[str, Any]:
        return {"kind": "direction", "source": self.name}


class Dimension(Against):
    """One dimension of the representation: the score is its value.

    Args:
        index: index of the dimension, from 0; negative ones count from the end.

    Raises:
        ArgumentError: ``index`` is not an integer.
    """

    similarity = "dot"

    def __init__(self, index: int) -> None:
        if isinstance(index, bool) or not isinstance(index, (int, np.integer)):
            raise ArgumentError(f"expected the index of a dimension to be an integer, got {index!r}")
        self.index = int(index)

    def reference(self, context: Context) -> Reference:
        length = len(context.own)
        if not -length <= self.index < length:
            raise ArgumentError(
                f"expected a dimension below {length}, the length of the representations, got {self.index}"
            )
        return Function(lambda h: h[:, self.index], f"dimension {self.index}", float(context.own.abs().max()))

    def settings(self) -> dict[str, Any]:
        return {"kind": "dimension", "source": f"dimension {self.index}", "index": self.index}


def as_vector(values: Any) -> Tensor:
    """Convert a tensor, array or list to a ``(D,)`` float64 tensor on the CPU.

    Raises:
        ArgumentError: the values are not a non-empty vector of finite numbers.
    """
    try:
        vector = torch.as_tensor(values).detach().double().cpu()
    except (TypeError, ValueError, RuntimeError) as error:
        raise ArgumentError(f"expected a vector of numbers, got {type(values).__name__}") from error
    if vector.ndim != 1 or not len(vector) or not bool(torch.isfinite(vector).all()):
        invalid = f"shape {tuple(vector.shape)}" if vector.ndim != 1 or not len(vector) else "NaN or infinite values"
        raise ArgumentError(f"expected a vector of finite numbers, got {invalid}")
    return vector


def match_representation(vector: Tensor, representation: Tensor) -> Tensor:
    """Move a ``(D,)`` vector to the device and dtype of a ``(D,)`` representation.

    Raises:
        ArgumentError: their lengths differ.
    """
    if len(vector) != len(representation):
        raise ArgumentError(
            f"expected a vector of length {len(representation)}, the length of the encoder's representations, "
            f"got {len(vector)}"
        )
    return vector.to(representation)
