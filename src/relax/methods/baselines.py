"""Baselines: maps that do not depend on the representation, which every method should beat."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from relax.errors import ArgumentError
from relax.estimation.maps import Maps
from relax.methods.base import Method, Problem


@dataclass(frozen=True)
class Baseline(Method):
    """Base class of maps that do not depend on the encoder."""

    needs: ClassVar[str] = "nothing"
    cost: ClassVar[str] = "1"
    source: ClassVar[str] = "a baseline"
    compares: ClassVar[bool] = False


@dataclass(frozen=True)
class Random(Baseline):
    """Uniform noise in [0, 1), drawn from the seed."""

    name = "random"
    summary = "uniform noise: a baseline"

    def run(self, problem: Problem) -> Maps:
        shape = problem.modality.map_shape(problem.prepared)
        return Maps(np.random.default_rng([problem.seed, 0x6E6F]).random(shape), measures={"importance": "noise"})


@dataclass(frozen=True)
class Center(Baseline):
    """A Gaussian at the centre of the input, with a maximum of 1.

    Args:
        width: standard deviation as a fraction of each side, positive.
    """

    width: float = 0.25

    name = "center"
    summary = "a Gaussian in the middle of the input: a baseline"

    def check(self) -> None:
        if not self.width > 0:
            raise ArgumentError(f"expected `width` to be positive, got {self.width!r}")

    def run(self, problem: Problem) -> Maps:
        shape = problem.modality.map_shape(problem.prepared)
        axes = (np.linspace(-0.5, 0.5, side) if side > 1 else np.zeros(1) for side in shape)
        profiles = [np.exp(-np.square(axis) / (2 * self.width**2)) for axis in axes]
        product = profiles[0]
        for profile in profiles[1:]:
            product = np.multiply.outer(product, profile)
        return Maps(product, measures={"importance": "nearness to the centre"})


@dataclass(frozen=True)
class Contrast(Baseline):
    """Mean over channels of |input − fill|: how much removing a pixel changes the input."""

    name = "contrast"
    summary = "how much removing a pixel changes the input: a baseline"
    modalities = ("image",)
    fills = ("blur",)

    def run(self, problem: Problem) -> Maps:
        x = problem.prepared.tensor
        difference = problem.modality.to_map((x - problem.perturbed.background).abs()) / len(x)
        return Maps(difference.double().cpu().numpy(), measures={"importance": "units of the input"})
