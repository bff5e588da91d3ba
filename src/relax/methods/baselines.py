"""Maps that know nothing of the representation: what every method must beat."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from relax.errors import ArgumentError
from relax.estimation.maps import Maps
from relax.methods.base import Method, Problem


@dataclass(frozen=True)
class Baseline(Method):
    """A map that never saw the encoder."""

    needs: ClassVar[str] = "nothing"
    cost: ClassVar[str] = "1"
    source: ClassVar[str] = "a baseline"
    compares: ClassVar[bool] = False


@dataclass(frozen=True)
class Random(Baseline):
    """Uniform noise in [0, 1), another for every seed."""

    name = "random"
    summary = "uniform noise: a baseline"

    def run(self, problem: Problem) -> Maps:
        shape = problem.modality.map_shape(problem.prepared)
        return Maps(np.random.default_rng([problem.seed, 0x6E6F]).random(shape), measures={"importance": "noise"})


@dataclass(frozen=True)
class Center(Baseline):
    """A Gaussian in the middle of the input: 1 there, falling to the borders.

    Args:
        width: standard deviation as a share of each side.
    """

    width: float = 0.25

    name = "center"
    summary = "a Gaussian in the middle of the input: a baseline"

    def check(self) -> None:
        if not self.width > 0:
            raise ArgumentError(f"expected `width` to be positive, got {self.width!r}")

    def run(self, problem: Problem) -> Maps:
        shape = problem.modality.map_shape(problem.prepared)
        sides = (np.linspace(-0.5, 0.5, side) if side > 1 else np.zeros(1) for side in shape)
        falls = [np.exp(-np.square(side) / (2 * self.width**2)) for side in sides]
        product = falls[0]
        for fall in falls[1:]:
            product = np.multiply.outer(product, fall)
        return Maps(product, measures={"importance": "nearness to the centre"})


@dataclass(frozen=True)
class Contrast(Baseline):
    """Mean over channels of |input − fill|: how much removing a pixel changes it, whatever the encoder."""

    name = "contrast"
    summary = "how much removing a pixel changes the input: a baseline"
    modalities = ("image",)
    fills = ("blur",)

    def run(self, problem: Problem) -> Maps:
        x = problem.prepared.tensor
        difference = problem.modality.to_map((x - problem.perturbed.background).abs()) / len(x)
        return Maps(difference.double().cpu().numpy(), measures={"importance": "units of the input"})
