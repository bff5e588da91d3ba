"""Methods that only this comparison has: rivals smoothed, a budget, and controls that never saw the encoder."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from scipy.ndimage import gaussian_filter
from skimage import data

import relax
from relax.estimation.designs import DESIGNS
from relax.estimation.stopping import FixedNumber
from relax.evaluation.randomised import shuffled
from relax.methods import METHODS, Maps, Method, Problem
from relax.methods.baselines import Contrast, Edges, Random
from relax.methods.gradients import SmoothGrad
from relax.methods.regression import RelaxGradient, RelaxRegression

DEFAULT, QUICK, SMOOTHED = "relax-regression", "relax-regression:64", "smoothgrad:smoothed"
GRADIENT, ALL_SIZES = "relax-gradient:48", "relax-regression:all-sizes"
FULL = "relax-regression:512"
"""As many masks as those of all sizes take, or more: what of their gain is due to masks."""

SIGMA = 4.0
"""Pixels, of what smooths SmoothGrad: where its localisation was best on development scenes."""

WIDE = 8.0
"""Pixels, of what smooths the controls: a box of 1/49 of the picture has this standard deviation, nearly."""

OTHER_PICTURE, RANDOM_WEIGHTS = "other picture's map", "random weights"
CONTROLS = (
    *("center", "random", "random:smoothed", "edges", "edges:smoothed", "contrast", "contrast:smoothed"),
    *(OTHER_PICTURE, RANDOM_WEIGHTS),
)
"""Maps that never saw the encoder with this picture; a method that they reach on a metric has shown nothing there."""

_kept: dict[str, relax.Encoder] = {}
_of_other: dict[str, np.ndarray] = {}


def _shuffled(encoder: relax.Encoder) -> relax.Encoder:
    """The encoder with shuffled weights, made once."""
    if encoder.name not in _kept:
        _kept[encoder.name] = shuffled(encoder)
    return _kept[encoder.name]


def _random_weights(problem: Problem) -> Maps:
    explainer = relax.Explainer(_shuffled(problem.encoder), seed=problem.seed)
    return Maps(explainer(problem.prepared).importance)


def _other_picture(problem: Problem) -> Maps:
    """The default's map of another picture, made once for an encoder."""
    name = problem.encoder.name
    if name not in _of_other:
        _of_other[name] = relax.Explainer(problem.encoder)(data.coffee()).importance
    return Maps(_of_other[name])


def _quick(problem: Problem) -> Maps:
    return RelaxRegression().run(replace(problem, stopping=FixedNumber(64)))


def _full(problem: Problem) -> Maps:
    return RelaxRegression().run(replace(problem, stopping=FixedNumber(512)))


def _all_sizes(problem: Problem) -> Maps:
    return RelaxRegression().run(replace(problem, design=DESIGNS["all-sizes"]))


def _gradient(problem: Problem) -> Maps:
    return RelaxGradient().run(replace(problem, stopping=FixedNumber(48)))


def _smoothed(problem: Problem) -> Maps:
    maps = SmoothGrad(n_samples=48).run(problem)
    return replace(maps, importance=gaussian_filter(np.asarray(maps.importance), SIGMA))


def _variant(kind: type[Method], called: str, own: Callable[[Problem], Maps]) -> type[Method]:
    """A kind of method under another name, that runs otherwise."""

    @dataclass(frozen=True)
    class Variant(kind):  # type: ignore[misc, valid-type]
        name = called
        takes_masks = False
        samples = None

        def run(self, problem: Problem) -> Maps:
            return own(problem)

    return Variant


def register() -> None:
    """Give the variants names that ``relax.evaluate`` finds."""
    made: dict[str, tuple[type[Method], Callable[[Problem], Maps]]] = {
        QUICK: (RelaxRegression, _quick),
        FULL: (RelaxRegression, _full),
        ALL_SIZES: (RelaxRegression, _all_sizes),
        GRADIENT: (RelaxGradient, _gradient),
        SMOOTHED: (SmoothGrad, _smoothed),
        "random:smoothed": (Random, lambda problem: Random(sigma=WIDE).run(problem)),
        "edges:smoothed": (Edges, lambda problem: Edges(sigma=WIDE).run(problem)),
        "contrast:smoothed": (Contrast, lambda problem: Contrast(sigma=WIDE).run(problem)),
        OTHER_PICTURE: (Random, _other_picture),
        RANDOM_WEIGHTS: (Random, _random_weights),
    }
    for name, (kind, run) in made.items():
        if name not in METHODS:
            relax.register("method", name, _variant(kind, name, run))
