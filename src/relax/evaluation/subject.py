"""What a metric judges: one explanation, and what is needed to question it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

from relax.encoders import Encoder
from relax.explanation import Explanation

Again = Callable[[Encoder, Tensor, int], Explanation]


@dataclass(eq=False)
class Subject:
    """One explanation of one input.

    Attributes:
        encoder: what was explained.
        explanation: by the method that is judged.
        mask: ``(H, W)`` bool at the encoder's input resolution: where the object is; ``None`` if not known.
        again: ``(encoder, (C, H, W) tensor, seed) -> Explanation`` by the same method with the same settings.
        seed: of the explanation, and of everything random that a metric does.
        curves: by fill, once a metric has computed them.
        error: the actual error of the map, once a metric has computed it.
    """

    encoder: Encoder
    explanation: Explanation
    mask: np.ndarray | None
    again: Again
    seed: int
    curves: dict[str, Any] = field(default_factory=dict)
    error: np.ndarray | None = None

    @property
    def tensor(self) -> Tensor:
        """``(C, H, W)``: the input as the encoder sees it."""
        return torch.from_numpy(np.array(self.explanation.input))

    def ranking(self) -> np.ndarray:
        """``(H·W,)`` indices of pixels, the most important first; ties in random order."""
        values = np.asarray(self.explanation.importance, dtype=np.float64).ravel()
        shuffled = np.random.default_rng([self.seed, 0x72616E6B]).permutation(len(values))
        return np.asarray(shuffled[np.argsort(-values[shuffled], kind="stable")])


def evidence(explanation: Explanation) -> np.ndarray:
    """``(H, W)`` float64, at least 0: the map for metrics that compare masses.

    A signed map's part above its neutral value; of an unsigned one, what is above its minimum. RELAX's maps are a
    large constant (the mean score) plus a small signal: with the constant, every map would be as spread out as any
    other. What a threshold has set to 0 stays 0; the minimum is then that of the rest.
    """
    values = np.asarray(explanation.importance, dtype=np.float64)
    if explanation.settings.get("method") == "u-relax" and values.any() and not explanation.signed:
        return np.where(values != 0, values - values[values != 0].min(), 0.0)
    return np.maximum(values - explanation.neutral, 0.0) if explanation.signed else values - values.min()
