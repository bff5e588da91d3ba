"""Baselines: maps that do not depend on the representation, which every method should beat."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from scipy.ndimage import gaussian_filter, sobel

from relax.errors import ArgumentError
from relax.estimation.maps import Maps
from relax.methods.base import Method
from relax.methods.problem import Problem


@dataclass(frozen=True)
class Baseline(Method):
    """Base class of maps that do not depend on the encoder."""

    needs: ClassVar[str] = "nothing"
    cost: ClassVar[str] = "1"
    source: ClassVar[str] = "a baseline"
    compares: ClassVar[bool] = False


@dataclass(frozen=True)
class Smoothable(Baseline):
    """Base class of baselines that can be smoothed by a Gaussian.

    Args:
        sigma: standard deviation of the Gaussian in elements of the map; 0 for none.
    """

    sigma: float = 0.0

    def check(self) -> None:
        if not self.sigma >= 0:
            raise ArgumentError(f"expected `sigma` to be at least 0, got {self.sigma!r}")

    def smoothed(self, values: np.ndarray) -> np.ndarray:
        """The map, smoothed."""
        return np.asarray(gaussian_filter(values, self.sigma)) if self.sigma else values


@dataclass(frozen=True)
class Random(Smoothable):
    """Uniform noise in [0, 1), drawn from the seed."""

    name = "random"
    summary = "uniform noise: a baseline"

    def run(self, problem: Problem) -> Maps:
        shape = problem.modality.map_shape(problem.prepared)
        noise = np.random.default_rng([problem.seed, 0x6E6F]).random(shape)
        return Maps(self.smoothed(noise), measures={"importance": "noise"})


@dataclass(frozen=True)
class Edges(Smoothable):
    """Gradient magnitude of the input by Sobel filters, mean over channels."""

    name = "edges"
    summary = "edges of the input by Sobel filters: a baseline"
    modalities = ("image",)

    def run(self, problem: Problem) -> Maps:
        x = problem.prepared.tensor.double().cpu().numpy()
        magnitude = np.hypot(sobel(x, axis=-1), sobel(x, axis=-2)).mean(0)
        return Maps(self.smoothed(magnitude), measures={"importance": "units of the input"})


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
class Contrast(Smoothable):
    """Mean over channels of |input − fill|: how much removing a pixel changes the input."""

    name = "contrast"
    summary = "how much removing a pixel changes the input: a baseline"
    modalities = ("image",)
    fills = ("blur",)

    def run(self, problem: Problem) -> Maps:
        x = problem.prepared.tensor
        difference = problem.modality.to_map((x - problem.perturbed.background).abs()) / len(x)
        values = self.smoothed(difference.double().cpu().numpy())
        return Maps(values, measures={"importance": "units of the input"})
