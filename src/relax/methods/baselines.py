"""Maps that know nothing of the representation: what every method must beat."""

from __future__ import annotations

import numpy as np

from relax.errors import ArgumentError
from relax.methods.base import Maps, Method, Problem


def random(problem: Problem) -> Maps:
    """Uniform noise in [0, 1), another for every seed."""
    shape = tuple(problem.masked.tensor.shape[-2:])
    return Maps(np.random.default_rng([problem.seed, 0x6E6F]).random(shape), units={"importance": "noise"})


def center(problem: Problem, *, width: float = 0.25) -> Maps:
    """A Gaussian in the middle of the input: 1 there, falling to the borders.

    Args:
        problem: the input.
        width: standard deviation as a share of each side.
    """
    if not width > 0:
        raise ArgumentError(f"expected `width` to be positive, got {width!r}")
    sides = (np.linspace(-0.5, 0.5, side) if side > 1 else np.zeros(1) for side in problem.masked.tensor.shape[-2:])
    rows, columns = (np.exp(-np.square(side) / (2 * width**2)) for side in sides)
    return Maps(np.outer(rows, columns), units={"importance": "nearness to the centre"})


def contrast(problem: Problem) -> Maps:
    """Mean over channels of |input − fill|: how much removing a pixel changes it, whatever the encoder."""
    difference = (problem.masked.tensor - problem.masked.background).abs().mean(0)
    return Maps(difference.double().cpu().numpy(), units={"importance": "units of the input"})


BASELINES = (
    Method("random", "uniform noise: a baseline", "nothing", "1", "a baseline", random, compares=False),
    Method(
        "center",
        "a Gaussian in the middle of the input: a baseline",
        "nothing",
        "1",
        "a baseline",
        center,
        compares=False,
    ),
    Method(
        "contrast",
        "how much removing a pixel changes the input: a baseline",
        "nothing",
        "1",
        "a baseline",
        contrast,
        compares=False,
        fills=("blur",),
    ),
)
