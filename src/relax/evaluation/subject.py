"""The subject of a metric: one explanation, and what is needed to test it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

from relax.encoders import Encoder
from relax.explanation import Explanation
from relax.modalities import Prepared

Again = Callable[[Encoder, Tensor, int], Explanation]
"""Explains a ``(C, H, W)`` tensor again, with an encoder and a seed."""


@dataclass(eq=False)
class Subject:
    """One explanation of one input.

    Attributes:
        encoder: the explained encoder.
        explanation: explanation by the evaluated method.
        mask: ``(H, W)`` bool mask of the object at the encoder's input resolution, or ``(units,)`` of a text; ``None``
            if unknown.
        again: ``(encoder, (C, H, W) tensor, seed) -> Explanation`` by the same method with the same settings.
        seed: seed of the explanation, and of any randomness in a metric.
        prepared: the preprocessed input; ``None`` if only its tensor is known.
        against: what it was compared with; ``None`` for itself.
        curves: insertion and deletion curves by fill, cached by the metrics.
        error: ``(H, W)`` actual error of the map, cached by the metrics.
    """

    encoder: Encoder
    explanation: Explanation
    mask: np.ndarray | None
    again: Again
    seed: int
    prepared: Prepared | None = None
    against: Any = None
    curves: dict[str, Any] = field(default_factory=dict)
    error: np.ndarray | None = None

    @property
    def tensor(self) -> Tensor:
        """The preprocessed input, ``(C, H, W)``."""
        return torch.from_numpy(np.array(self.explanation.input))

    def ranking(self) -> np.ndarray:
        """Flat indices of the pixels, ``(H·W,)``, the most important first; ties in random order."""
        values = np.asarray(self.explanation.importance, dtype=np.float64).ravel()
        shuffled = np.random.default_rng([self.seed, 0x72616E6B]).permutation(len(values))
        return np.asarray(shuffled[np.argsort(-values[shuffled], kind="stable")])


def evidence(explanation: Explanation) -> np.ndarray:
    """Nonnegative map for metrics that compare mass, ``(H, W)`` float64.

    For a signed map, the part above its neutral value; for an unsigned one, the part above its minimum. RELAX maps are
    a large constant (the mean score) plus a small signal; with the constant, all maps would appear equally spread out.
    Pixels that a threshold set to 0 stay 0, and the minimum is taken over the others.

    Args:
        explanation: the explanation.
    """
    values = np.asarray(explanation.importance, dtype=np.float64)
    if explanation.settings.get("method") == "u-relax" and values.any() and not explanation.signed:
        return np.where(values != 0, values - values[values != 0].min(), 0.0)
    return np.maximum(values - explanation.neutral, 0.0) if explanation.signed else values - values.min()
