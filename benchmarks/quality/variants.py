"""Methods that only this comparison has: budgets, rivals smoothed, and relax-fine with an ingredient left out."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import torch
from scipy.ndimage import gaussian_filter

from relax.modalities.masks import GridMasks, SuperpixelMasks
from relax.methods import METHODS, Maps, Method, Problem
from relax.methods.fine import CONTRAST, Part, Parts, tried
from relax.estimation.stopping import FixedNumber

FINE, GRADIENT, QUICK, HALF = "relax-fine", "relax-gradient", "relax-fine:64", "relax-fine:1280"
QUICK_GRADIENT = "relax-gradient:18"
SMOOTHED, CONTRASTED = "smoothgrad:smoothed", "smoothgrad:contrast"
CONTRAST_SIGMA = 2.0
"""Pixels, of what smooths the contrast in one of the ablations."""

SIGMA = 4.0
"""Pixels, of what smooths SmoothGrad: where its localisation was best on development scenes."""

FULL = 2560
"""Masks of relax-fine when it is not stopped earlier: two rounds."""

ABLATIONS: dict[str, Callable[[Part], bool]] = {
    "blur alone": lambda part: _blurred(part),
    "mean colour alone": lambda part: not _blurred(part),
    "grids alone": lambda part: isinstance(part.masked.masks, GridMasks),
    "superpixels alone": lambda part: isinstance(part.masked.masks, SuperpixelMasks),
    "7x7 grid alone": lambda part: part.masked.masks == GridMasks(7),
    "without the 28x28 grid": lambda part: part.masked.masks != GridMasks(28),
    "without the 7x7 grid": lambda part: part.masked.masks != GridMasks(7),
}
NO_CONTRAST = "without contrast"
SMOOTH_CONTRAST = "contrast, smoothed"
TWICE_BLUR = "blur counted twice"
PLAIN = f"{FINE}:256, {NO_CONTRAST}"
LINEAR = "contrast, exponent 1"

SLOPES = {"the derivative alone": 1e6, "derivative and effect alike": 1.0, "without the derivative": 0.0}
ONE_FILL = {"blur alone": 0, "mean colour alone": 1}

_last: tuple[str, Parts] | None = None


def _blurred(part: Part) -> bool:
    return bool(part.masked.background.abs().max() > 0)


def _tried(problem: Problem) -> Parts:
    """The masks of one input, tried once for all that is made of them."""
    global _last
    key = hashlib.sha256(problem.masked.tensor.cpu().numpy().tobytes()).hexdigest()
    key = f"{key} {problem.seed} {problem.session.encoder.name}"
    if _last is None or _last[0] != key:
        _last = key, tried(replace(problem, stopping=FixedNumber(FULL)))
    return _last[1]


def _only(keep: Callable[[Part], bool]) -> Callable[[Problem], Maps]:
    def run(problem: Problem) -> Maps:
        parts = _tried(problem)
        return Parts([part for part in parts.parts if keep(part)], parts.exponent).maps(problem.signed)

    return run


def _exponent(value: float) -> Callable[[Problem], Maps]:
    return lambda problem: Parts(_tried(problem).parts, value).maps(problem.signed)


def _smooth_contrast(problem: Problem) -> Maps:
    parts = [replace(part) for part in _tried(problem).parts]
    for part in parts:
        part.contrast = torch.from_numpy(gaussian_filter(part.contrast.numpy(), CONTRAST_SIGMA))
    return Parts(parts, CONTRAST).maps(problem.signed)


def _twice_blur(problem: Problem) -> Maps:
    parts = [replace(part, share=part.share * (1 + _blurred(part))) for part in _tried(problem).parts]
    return Parts(parts, CONTRAST).maps(problem.signed)


def _with_slope(slope: float) -> Callable[[Problem], Maps]:
    return lambda problem: METHODS[GRADIENT].run(problem, slope=slope)


def _one_fill(number: int) -> Callable[[Problem], Maps]:
    return lambda problem: METHODS[GRADIENT].run(replace(problem, masked=problem.filled[number], others=()))


def _stopped(n_masks: int) -> Callable[[Problem], Maps]:
    return lambda problem: METHODS[FINE].run(replace(problem, stopping=FixedNumber(n_masks)))


def _smoothed(problem: Problem) -> Maps:
    maps = METHODS["smoothgrad"].run(problem, n_samples=96)
    return replace(maps, importance=gaussian_filter(np.asarray(maps.importance), SIGMA))


def _contrasted(problem: Problem) -> Maps:
    """A rival with what relax-fine multiplies its effects by, from blur."""
    blurred = next(masked for masked in problem.filled if bool(masked.background.abs().max() > 0))
    difference = (problem.masked.tensor - blurred.background).abs().mean(0).double().cpu().numpy()
    maps = METHODS["smoothgrad"].run(problem, n_samples=96)
    return replace(maps, importance=np.asarray(maps.importance) * difference**CONTRAST)


def register() -> None:
    """Give the variants names that ``relax.evaluate`` finds."""
    fine = METHODS[FINE]
    runs: dict[str, tuple[Method, Callable[..., Maps]]] = {
        HALF: (fine, _stopped(1280)),
        QUICK: (fine, _stopped(64)),
        QUICK_GRADIENT: (METHODS[GRADIENT], lambda problem: METHODS[GRADIENT].run(problem, n_samples=18)),
        SMOOTHED: (METHODS["smoothgrad"], _smoothed),
        CONTRASTED: (replace(METHODS["smoothgrad"], fills=("blur",)), _contrasted),
        PLAIN: (fine, lambda problem: fine.run(replace(problem, stopping=FixedNumber(256)), contrast=0.0)),
        f"{FINE}:whole": (fine, lambda problem: _tried(problem).maps(problem.signed)),
        f"{FINE}:{NO_CONTRAST}": (fine, _exponent(0.0)),
        f"{FINE}:{LINEAR}": (fine, _exponent(1.0)),
        f"{FINE}:{SMOOTH_CONTRAST}": (fine, _smooth_contrast),
        f"{FINE}:{TWICE_BLUR}": (fine, _twice_blur),
        **{f"{FINE}:{name}": (fine, _only(keep)) for name, keep in ABLATIONS.items()},
        **{f"{GRADIENT}:{name}": (METHODS[GRADIENT], _with_slope(slope)) for name, slope in SLOPES.items()},
        **{f"{GRADIENT}:{name}": (METHODS[GRADIENT], _one_fill(number)) for name, number in ONE_FILL.items()},
    }
    for name, (method, run) in runs.items():
        if name not in METHODS:
            METHODS.add(name, replace(method, name=name, run=run, budget=None))
