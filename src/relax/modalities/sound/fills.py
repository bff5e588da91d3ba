"""Fills of recordings: what replaces removed segments, bands and patches.

Each asks another question:

* :class:`Silence`: what if nothing were heard there?
* :class:`LevelNoise`: what if a hiss as loud as the recording covered it?
* :class:`MeanSpectrum`: what if the average sound of the recording went on there: its colour and level, without what is
  said?
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from relax.modalities.series.fills import SeriesFill
from relax.modalities.series.spectrum import samples_of, spectrum_of


@dataclass(frozen=True)
class Silence(SeriesFill):
    """Silence. Default."""

    modalities = ("sound",)
    name = "silence"

    def background(self, series: Tensor, by: Any, seed: int) -> Tensor:
        return torch.zeros_like(series)


@dataclass(frozen=True)
class LevelNoise(SeriesFill):
    """White noise at the recording's level; the seed draws it, once for all masks."""

    modalities = ("sound",)
    name = "level-noise"

    def background(self, series: Tensor, by: Any, seed: int) -> Tensor:
        return white(series, seed) * series.square().mean(1, keepdim=True).sqrt()


@dataclass(frozen=True)
class MeanSpectrum(SeriesFill):
    """Noise with the recording's mean power at each frequency; the seed draws it, once for all masks."""

    modalities = ("sound",)
    name = "mean-spectrum"

    def background(self, series: Tensor, by: Any, seed: int) -> Tensor:
        power = spectrum_of(series).abs().square().mean(2, keepdim=True)
        noise = spectrum_of(white(series, seed))
        noise = noise / noise.abs().square().mean(2, keepdim=True).sqrt().clamp_min(1e-12)
        return samples_of(noise * power.sqrt(), series.shape[-1])


def white(series: Tensor, seed: int) -> Tensor:
    """White noise of variance 1, of the shape of a series."""
    return torch.from_numpy(np.random.default_rng(seed).standard_normal(tuple(series.shape))).to(series)
