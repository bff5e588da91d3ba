"""Methods that only this comparison has: budgets, rivals smoothed, and relax-fine with an ingredient left out."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import torch
from scipy.ndimage import gaussian_filter

import relax
from relax.estimation.mixture import Mixture, Part
from relax.estimation.stopping import FixedNumber
from relax.methods import METHODS, Maps, Method, Problem
from relax.methods.fine import RelaxFine
from relax.methods.fine_gradient import RelaxGradient
from relax.methods.gradients import SmoothGrad
from relax.modalities.image.fills import Blur
from relax.modalities.masks import GridMasks, SuperpixelMasks

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
    "grids alone": lambda part: isinstance(part.perturbed.stratum.masks, GridMasks),
    "superpixels alone": lambda part: isinstance(part.perturbed.stratum.masks, SuperpixelMasks),
    "7x7 grid alone": lambda part: part.perturbed.stratum.masks == GridMasks(7),
    "without the 28x28 grid": lambda part: part.perturbed.stratum.masks != GridMasks(28),
    "without the 7x7 grid": lambda part: part.perturbed.stratum.masks != GridMasks(7),
}
NO_CONTRAST = "without contrast"
SMOOTH_CONTRAST = "contrast, smoothed"
TWICE_BLUR = "blur counted twice"
PLAIN = f"{FINE}:256, {NO_CONTRAST}"
LINEAR = "contrast, exponent 1"

SLOPES = {"the derivative alone": 1e6, "derivative and effect alike": 1.0, "without the derivative": 0.0}
ONE_FILL = {"blur alone": 0, "mean colour alone": 1}

Run = Callable[[Problem], Maps]

_last: tuple[str, Mixture] | None = None


def _blurred(part: Part) -> bool:
    return isinstance(part.perturbed.stratum.fill, Blur)


def _fixed(problem: Problem, n_masks: int) -> Problem:
    """The problem with a number of masks of its own."""
    return replace(problem, stopping=FixedNumber(n_masks))


def _tried(problem: Problem) -> Mixture:
    """The masks of one input, tried once for all that is made of them."""
    global _last
    key = hashlib.sha256(problem.prepared.tensor.cpu().numpy().tobytes()).hexdigest()
    key = f"{key} {problem.seed} {problem.encoder.name}"
    if _last is None or _last[0] != key:
        *_, mixture = RelaxFine().estimates(_fixed(problem, FULL))
        assert isinstance(mixture, Mixture)
        _last = key, mixture
    return _last[1]


def _mixed(problem: Problem, parts: list[Part], exponent: float | None = None) -> Maps:
    """Maps of some of the parts, or of parts that were changed; by the default's exponent if none is given."""
    mixture = Mixture(problem.modality, RelaxFine().contrast if exponent is None else exponent)
    mixture.parts = parts
    return mixture.maps(problem.signed)


def _only(keep: Callable[[Part], bool]) -> Run:
    return lambda problem: _mixed(problem, [part for part in _tried(problem).parts if keep(part)])


def _exponent(value: float) -> Run:
    return lambda problem: _mixed(problem, _tried(problem).parts, value)


def _smooth_contrast(problem: Problem) -> Maps:
    parts = [replace(part) for part in _tried(problem).parts]
    for part in parts:
        part.contrast = torch.from_numpy(gaussian_filter(part.contrast.cpu().numpy(), CONTRAST_SIGMA)).to(part.contrast)
    return _mixed(problem, parts)


def _twice_blur(problem: Problem) -> Maps:
    parts = [_heavier(part) if _blurred(part) else part for part in _tried(problem).parts]
    return _mixed(problem, parts)


def _heavier(part: Part) -> Part:
    """The part with twice its weight."""
    stratum = part.perturbed.stratum
    return replace(part, perturbed=replace(part.perturbed, stratum=replace(stratum, weight=2 * stratum.weight)))


def _with_slope(slope: float) -> Run:
    return lambda problem: RelaxGradient(slope=slope).run(problem)


def _one_fill(number: int) -> Run:
    return lambda problem: RelaxGradient().run(replace(problem, fills=(problem.fills[number],)))


def _stopped(n_masks: int) -> Run:
    return lambda problem: RelaxFine().run(_fixed(problem, n_masks))


def _smoothed(problem: Problem) -> Maps:
    maps = SmoothGrad(n_samples=96).run(problem)
    return replace(maps, importance=gaussian_filter(np.asarray(maps.importance), SIGMA))


def _contrasted(problem: Problem) -> Maps:
    """A rival with what relax-fine multiplies its effects by, from blur."""
    difference = (problem.prepared.tensor - problem.perturbed.background).abs().mean(0).double().cpu().numpy()
    maps = SmoothGrad(n_samples=96).run(problem)
    return replace(maps, importance=np.asarray(maps.importance) * difference ** RelaxFine().contrast)


class Contrasted(SmoothGrad):
    """SmoothGrad with blur as fill, by which its contrast is taken."""

    fills = ("blur",)


def _variant(kind: type[Method], called: str, own: Run) -> type[Method]:
    """A kind of method under another name, that runs otherwise."""

    class Variant(kind):  # type: ignore[misc, valid-type]
        name = called
        takes_masks = False
        samples = None

        def run(self, problem: Problem) -> Maps:
            return own(problem)

    return Variant


def with_masks(name: str, n: int) -> Method:
    """The method of that name, and under it, with a number of masks of its own."""

    @dataclass(frozen=True)
    class Fixed(METHODS[name]):  # type: ignore[misc]
        n_masks: int = n

        takes_masks = False

        def run(self, problem: Problem) -> Maps:
            maps: Maps = super().run(_fixed(problem, self.n_masks))
            return maps

    return Fixed()


def register() -> None:
    """Give the variants names that ``relax.evaluate`` finds."""
    of_fine: dict[str, Run] = {
        HALF: _stopped(FULL // 2),
        QUICK: _stopped(64),
        PLAIN: lambda problem: RelaxFine(contrast=0.0).run(_fixed(problem, 256)),
        f"{FINE}:whole": lambda problem: _tried(problem).maps(problem.signed),
        f"{FINE}:{NO_CONTRAST}": _exponent(0.0),
        f"{FINE}:{LINEAR}": _exponent(1.0),
        f"{FINE}:{SMOOTH_CONTRAST}": _smooth_contrast,
        f"{FINE}:{TWICE_BLUR}": _twice_blur,
        **{f"{FINE}:{name}": _only(keep) for name, keep in ABLATIONS.items()},
    }
    of_gradient: dict[str, Run] = {
        QUICK_GRADIENT: lambda problem: RelaxGradient(n_samples=18).run(problem),
        **{f"{GRADIENT}:{name}": _with_slope(slope) for name, slope in SLOPES.items()},
        **{f"{GRADIENT}:{name}": _one_fill(number) for name, number in ONE_FILL.items()},
    }
    for kind, runs in (
        (RelaxFine, of_fine),
        (RelaxGradient, of_gradient),
        (SmoothGrad, {SMOOTHED: _smoothed}),
        (Contrasted, {CONTRASTED: _contrasted}),
    ):
        for name, run in runs.items():
            if name not in METHODS:
                relax.register("method", name, _variant(kind, name, run))
