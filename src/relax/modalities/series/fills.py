"""Fills of series: what replaces removed segments, channels and bands.

Each asks another question:

* :class:`SeriesMean`: what if the channel stood at its mean there? The jumps at the borders are new. Of a removed band
  nothing is left; the mean itself, frequency 0, stays.
* :class:`Interpolation`: what if the series went straight from the sample before the gap to the one after it?
* :class:`SeriesNoise`: what if there were noise of the channel's mean and spread? Of a removed band, that of the noise.
* :class:`SeriesZero`: what if there were zeros? Of a removed band nothing is left, not even the mean (FreqRISE).
* :class:`OtherSeries`: what if this part came from another series?
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from relax.errors import ArgumentError
from relax.modalities.fills import Fill, like
from relax.modalities.prepared import Prepared
from relax.modalities.series import spectrum
from relax.modalities.series.layout import Elements, layout_of
from relax.modalities.units import Block, Units

KEPT = 0.5
"""Mask value from which a sample is kept."""


class SeriesFill(Fill):
    """Base class of fills that are another series of the same size.

    Attributes:
        name: name for users.
    """

    modalities: ClassVar[tuple[str, ...] | None] = ("series",)
    name: ClassVar[str]

    @abstractmethod
    def background(self, series: Tensor, by: Any, seed: int) -> Tensor:
        """The other series.

        Args:
            series: ``(C, T)``.
            by: the modality.
            seed: random seed.

        Returns:
            ``(C, T)``.
        """

    def bind(self, prepared: Prepared, by: Any = None, seed: int = 0) -> BoundSeriesFill:
        series = prepared.tensor
        rows = series.reshape(-1, series.shape[-1])
        return BoundSeriesFill(self, self.background(rows, by, seed))

    def apply(self, prepared: Prepared, units: Units, block: Block) -> Tensor:
        return self.bind(prepared).apply(prepared, units, block)

    def settings(self) -> dict[str, Any]:
        return {"name": self.name}

    def blended(self, series: Tensor, background: Tensor, masks: Tensor, elements: Elements) -> Tensor:
        """The series under masks.

        Args:
            series: ``(C, T)``.
            background: ``(C, T)``.
            masks: ``(B, samples)``, ``(B, channels)``, ``(B, bins)`` or ``(B, bins, frames)``.
            elements: what the masks remove.

        Returns:
            ``(B, C, T)``.
        """
        if elements.domain == "frequency":
            ours, theirs = torch.fft.rfft(series), torch.fft.rfft(background)
            mixed: Tensor = torch.fft.irfft(theirs + (ours - theirs) * masks[:, None], n=series.shape[-1])
            return mixed
        if elements.domain in ("band", "patch"):
            return spectrum.blended(series, background, masks)
        weights = masks[:, :, None] if elements.domain == "channel" else masks[:, None]
        return background + (series - background) * weights


@dataclass(frozen=True, eq=False)
class BoundSeriesFill(Fill):
    """A fill bound to one series.

    Attributes:
        fill: the fill.
        background: ``(C, T)``.
    """

    fill: SeriesFill
    background: Tensor

    def settings(self) -> dict[str, Any]:
        return self.fill.settings()

    def apply(self, prepared: Prepared, units: Units, block: Block) -> Tensor:
        series, elements = prepared.tensor, layout_of(prepared).elements
        if elements is None:
            raise ArgumentError("the series has no elements; prepare it by the encoder")
        masks = elements.spread(units.masks(block))
        rows = series.reshape(-1, series.shape[-1])
        return self.fill.blended(rows, self.background, masks, elements).reshape(len(masks), *series.shape)


@dataclass(frozen=True)
class SeriesMean(SeriesFill):
    """The mean of each channel. Default."""

    name = "series-mean"

    def background(self, series: Tensor, by: Any, seed: int) -> Tensor:
        return series.mean(1, keepdim=True).expand_as(series)


@dataclass(frozen=True)
class SeriesZero(SeriesFill):
    """Zeros."""

    name = "series-zero"

    def background(self, series: Tensor, by: Any, seed: int) -> Tensor:
        return torch.zeros_like(series)


@dataclass(frozen=True)
class SeriesNoise(SeriesFill):
    """White noise with the mean and the standard deviation of each channel; the seed draws it, once for all masks."""

    name = "series-noise"

    def background(self, series: Tensor, by: Any, seed: int) -> Tensor:
        draws = torch.from_numpy(np.random.default_rng(seed).standard_normal(tuple(series.shape))).to(series)
        return series.mean(1, keepdim=True) + series.std(1, correction=0, keepdim=True) * draws


@dataclass(frozen=True)
class Interpolation(SeriesFill):
    """A straight line between the samples beside the gap; the nearest sample at the ends. Not for bands."""

    name = "interpolation"

    def background(self, series: Tensor, by: Any, seed: int) -> Tensor:
        return series.mean(1, keepdim=True).expand_as(series)

    def blended(self, series: Tensor, background: Tensor, masks: Tensor, elements: Elements) -> Tensor:
        if elements.domain != "time":
            raise ArgumentError(
                f"fill 'interpolation' is for segments of time, not for masks of {elements.domain}; use fill='mean'"
            )
        values, kept = series.cpu().numpy(), (masks > KEPT).cpu().numpy()
        filled = np.repeat(background.cpu().numpy()[None], len(kept), 0)
        places = np.arange(values.shape[1])
        for row, keep in zip(filled, kept, strict=True):
            if keep.any():
                for channel, own in zip(row, values, strict=True):
                    channel[:] = np.interp(places, places[keep], own[keep])
        return torch.from_numpy(filled).to(series)


@dataclass(frozen=True, eq=False)
class OtherSeries(SeriesFill):
    """Another series of the same size.

    Args:
        input: the other series.
    """

    input: Any = None

    modalities = ("series", "sound")
    name = "series-other"

    @property
    def reproducible(self) -> bool:
        """False: the other series is not saved."""
        return False

    def background(self, series: Tensor, by: Any, seed: int) -> Tensor:
        if by is None or self.input is None:
            raise ArgumentError(
                "another series as fill needs an encoder that reads it; give it to relax.explain(fill=)"
            )
        other = by.prepare(self.input).tensor
        return like(other.reshape(-1, other.shape[-1]), series, "the input given as fill")
