"""A prepared input: what the encoder is called with, and what people are shown."""

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
        inputs: encoder inputs by name, without a batch dimension: tensors (an image; token ids and attention mask), or
            any other object, such as a string.
        presentation: the input as shown to people: an upright RGB picture, a text, a recording; ``None`` for a bare
            tensor.
        geometry: region of the presentation that the encoder sees, in a form specific to the modality: for images the
            box ``(left, top, right, bottom)`` in pixels of the picture.
        labels: name of each element along the map's first dimension, such as a word; ``None`` without names.
        spans: position ``(start, stop)`` of each labelled element in the source, in characters or samples.
        source: JSON-serialisable provenance: the origin under ``"source"``, a display name under ``"name"``.
    """

    inputs: Mapping[Any, Any]
    presentation: Any = None
    geometry: Any = None
    labels: tuple[str, ...] | None = None
    spans: tuple[tuple[int, int], ...] | None = None
    source: dict[str, Any] = field(default_factory=dict)

    @property
    def tensor(self) -> Tensor:
        """The single floating-point tensor of the input, ``(C, H, W)`` for images.

        Raises:
            ArgumentError: the input consists of several tensors, or of something else.
        """
        values = list(self.inputs.values())
        if len(values) != 1 or not isinstance(values[0], Tensor) or not values[0].is_floating_point():
            names = ", ".join(map(str, self.inputs))
            raise ArgumentError(
                f"expected an input of one floating-point tensor, got {names}; use another method or fill"
            )
        return values[0]

    def to(self, device: torch.device) -> Prepared:
        """Copy of the input with its tensors on a device, and floating-point tensors in float32."""
        return replace(self, inputs=to_device(dict(self.inputs), device, torch.float32))


def tensor_of(source: Prepared | Tensor) -> Tensor:
    """The tensor of a prepared input, or the tensor itself.

    Raises:
        ArgumentError: the prepared input is not a single floating-point tensor.
    """
    return source if isinstance(source, Tensor) else source.tensor
