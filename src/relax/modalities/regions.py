"""Regions of a map: the parts of two inputs whose interactions are estimated."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor


@dataclass(frozen=True)
class Regions:
    """Equal cells of a map of two dimensions, or the units of a map of one.

    Attributes:
        shape: number of regions along each dimension of the map.
        labels: name of each region; ``None`` without names.
    """

    shape: tuple[int, ...]
    labels: tuple[str, ...] | None = None

    def __len__(self) -> int:
        return int(np.prod(self.shape))

    def shares(self, maps: Tensor) -> Tensor:
        """Mean of each region.

        Args:
            maps: ``(B, *map shape)``, such as masks or an effect.

        Returns:
            ``(B, C)`` for C regions.
        """
        pools: tuple[Any, ...] = (F.adaptive_avg_pool1d, F.adaptive_avg_pool2d, F.adaptive_avg_pool3d)
        means: Tensor = pools[len(self.shape) - 1](maps[:, None], self.shape)
        return means.flatten(1)

    def index(self, number: int) -> tuple[int, ...] | str:
        """Name of a region, or its position along each dimension."""
        if self.labels is not None:
            return self.labels[number]
        return tuple(int(place) for place in np.unravel_index(number, self.shape))

    def apart(self, number: int, others: list[int]) -> bool:
        """Whether a region is no neighbour of others; units with names are always apart."""
        if self.labels is not None:
            return number not in others
        here, there = np.unravel_index(number, self.shape), [np.unravel_index(other, self.shape) for other in others]
        return all(max(abs(a - b) for a, b in zip(here, other, strict=True)) > 1 for other in there)


def strongest(regions: Regions, effect: np.ndarray, k: int) -> list[tuple[int, float]]:
    """The regions with the largest mean effects, no two of them neighbours.

    Args:
        regions: regions of the map.
        effect: map of effects.
        k: maximum number of regions.

    Returns:
        Number and mean effect of each, the largest first.
    """
    means = regions.shares(torch.from_numpy(np.array(effect, dtype=np.float64))[None])[0]
    chosen: list[int] = []
    for number in torch.argsort(means, descending=True).tolist():
        if len(chosen) < k and regions.apart(number, chosen):
            chosen.append(number)
    return [(number, float(means[number])) for number in chosen]
