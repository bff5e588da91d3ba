"""Masks on recordings: bands of frequency, and patches of time and frequency."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from relax.modalities.series.layout import Elements, Layout, Span, equal
from relax.modalities.series.masks import SeriesMasks, check_count
from relax.modalities.series.spectrum import BINS, HOP, WINDOW, frames_of


@dataclass(frozen=True)
class FrequencyBandMasks(SeriesMasks):
    """Bands of frequency over the whole recording, of equal width in mel: narrow ones below, wide ones above.

    Args:
        keep: probability of keeping a band, in (0, 1).
        bands: number of bands; fewer where bands would be narrower than the resolution.
    """

    bands: int = 16

    modalities = ("sound",)
    kind = "frequency-bands"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_count("bands", self.bands)

    def elements(self, layout: Layout) -> Elements:
        spans = mel_bands(self.bands, layout.rate or 1.0)
        return Elements("band", spans, frequency_labels(spans, layout.rate or 1.0))

    def settings(self) -> dict[str, Any]:
        return {**super().settings(), "bands": self.bands}


@dataclass(frozen=True)
class TimeFrequencyMasks(SeriesMasks):
    """Patches of the spectrogram: segments of time of equal length by bands of equal width in mel.

    Args:
        keep: probability of keeping a patch, in (0, 1).
        bands: number of bands; fewer where bands would be narrower than the resolution.
        segments: number of segments.
    """

    bands: int = 6
    segments: int = 10

    modalities = ("sound",)
    kind = "time-frequency"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_count("bands", self.bands)
        check_count("segments", self.segments)

    def elements(self, layout: Layout) -> Elements:
        spans = mel_bands(self.bands, layout.rate or 1.0)
        labels = frequency_labels(spans, layout.rate or 1.0)
        return Elements("patch", spans, labels, equal(frames_of(layout.length), self.segments))

    def settings(self) -> dict[str, Any]:
        return {**super().settings(), "bands": self.bands, "segments": self.segments}


def mel_bands(bands: int, rate: float) -> tuple[Span, ...]:
    """Spans of bins of equal width in mel, ``2595 log10(1 + f / 700)``.

    Args:
        bands: number of bands.
        rate: samples a second.
    """
    top = 2595 * np.log10(1 + rate / 2 / 700)
    edges = 700 * (10 ** (np.linspace(0, top, bands + 1) / 2595) - 1)
    places = np.unique(np.round(edges / rate * WINDOW).astype(int))
    places[-1] = BINS
    return tuple(zip(places[:-1].tolist(), places[1:].tolist(), strict=True))


def frequency_labels(spans: tuple[Span, ...], rate: float) -> tuple[str, ...]:
    """Names of bands."""
    return tuple(f"{start * rate / WINDOW:.0f}–{min(stop * rate / WINDOW, rate / 2):.0f} Hz" for start, stop in spans)


def edges_of(elements: Elements, layout: Layout) -> tuple[list[float], list[float]]:
    """Borders of the elements in seconds and in Hz, for figures.

    Args:
        elements: segments, bands or patches.
        layout: the recording.
    """
    rate = layout.rate or 1.0
    whole = layout.length / rate
    if elements.domain == "time":
        return [start / rate for start, _ in elements.rows] + [whole], [0.0, rate / 2]
    hertz = [start * rate / WINDOW for start, _ in elements.rows] + [rate / 2]
    seconds = [max(start - 0.5, 0) * HOP / rate for start, _ in elements.columns] or [0.0]
    return [*seconds, whole], hertz
