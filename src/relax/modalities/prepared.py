"""An input as the encoder sees it, and as a person sees it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor

from relax.errors import ArgumentError
from relax.modalities.batches import to_device


@dataclass(frozen=True, eq=False)
class Prepared:
    """One input, read and preprocessed.

    Attributes:
        inputs: what the encoder is called with, by name and without a batch dimension: tensors (an image, token ids
            and their attention mask), or any other object, such as a string.
        presentation: what a person is shown: an upright RGB picture, the text, a recording; ``None`` for a bare
            tensor.
        geometry: where in the presentation the encoder's input lies, in the modality's own terms: for images the box
            ``(left, top, right, bottom)`` in pixels of the picture.
        labels: what each element of a map is called, such as its word, one along the map's first dimension; ``None``
            where they have no names.
        spans: where each of these stands in the source, ``(start, stop)`` in characters or samples.
        source: JSON-able provenance: under ``"source"`` where the input came from, under ``"name"`` what to call it.
    """

    inputs: Mapping[Any, Any]
    presentation: Any = None
    geometry: Any = None
    labels: tuple[str, ...] | None = None
    spans: tuple[tuple[int, int], ...] | None = None
    source: dict[str, Any] = field(default_factory=dict)

    @property
    def tensor(self) -> Tensor:
        """The one tensor that the encoder is called with.

        Raises:
            ArgumentError: it is called with several, or with something else.
        """
        values = list(self.inputs.values())
        if len(values) != 1 or not isinstance(values[0], Tensor) or not values[0].is_floating_point():
            names = ", ".join(map(str, self.inputs))
            raise ArgumentError(
                f"expected an input of one floating-point tensor, got {names}; use another method or fill"
            )
        return values[0]

    def to(self, device: torch.device) -> Prepared:
        """The same input with its tensors on a device, floating-point ones in float32."""
        return replace(self, inputs=to_device(dict(self.inputs), device, torch.float32))


def tensor_of(source: Prepared | Tensor) -> Tensor:
    """The tensor of a prepared input, or the tensor itself."""
    return source if isinstance(source, Tensor) else source.tensor
