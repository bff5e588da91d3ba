"""Masks on series: segments of time, channels, bands of frequency."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar

from torch import Tensor

from relax.errors import ArgumentError, InputError
from relax.modalities.prepared import Prepared
from relax.modalities.series.layout import Elements, Layout, equal, layout_of, units_over
from relax.modalities.units import LabelUnits, Masks, check_keep


@dataclass(frozen=True)
class SeriesMasks(Masks):
    """Base class of masks on series.

    Args:
        keep: probability of keeping a unit, in (0, 1).

    Raises:
        ArgumentError: an argument is out of range.
    """

    keep: float = 0.5

    modalities: ClassVar[tuple[str, ...] | None] = ("series",)
    kind: ClassVar[str] = ""

    def __post_init__(self) -> None:
        check_keep(self.keep)

    @abstractmethod
    def elements(self, layout: Layout) -> Elements:
        """The units of a series."""

    def over(self, prepared: Prepared | Tensor) -> LabelUnits:
        return units_over(prepared, self.elements(layout_of(prepared)))

    def settings(self) -> dict[str, Any]:
        return {"name": self.kind, "keep": self.keep}


@dataclass(frozen=True)
class SegmentMasks(SeriesMasks):
    """Segments of time of equal length, over all channels.

    Args:
        keep: probability of keeping a segment, in (0, 1).
        segments: number of segments, at most one a sample.
    """

    segments: int = 16

    modalities = ("series", "sound")
    kind = "segments"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_count("segments", self.segments)

    def elements(self, layout: Layout) -> Elements:
        spans = equal(layout.length, self.segments)
        return Elements("time", spans, tuple(time_label(span, layout.rate) for span in spans))

    def settings(self) -> dict[str, Any]:
        return {**super().settings(), "segments": self.segments}


@dataclass(frozen=True)
class ChannelMasks(SeriesMasks):
    """Channels of a series."""

    kind = "channels"

    def elements(self, layout: Layout) -> Elements:
        if layout.channels < 2:
            raise InputError("masks 'channels' need a series of several channels, got one; use masks='segments'")
        labels = layout.names or channel_labels(layout.channels)
        return Elements("channel", equal(layout.channels, layout.channels), labels)


@dataclass(frozen=True)
class BandMasks(SeriesMasks):
    """Bands of frequency of equal width, of the discrete Fourier transform over the whole series (FreqRISE).

    The mean of the series, frequency 0, belongs to the first band.

    Args:
        keep: probability of keeping a band, in (0, 1).
        bands: number of bands, at most one a frequency.

    Source: Brüsch et al., FreqRISE, PMLR 265 (2025).
    """

    bands: int = 16

    kind = "bands"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_count("bands", self.bands)

    def elements(self, layout: Layout) -> Elements:
        spans = equal(layout.bins, self.bands)
        step = (layout.rate or 1.0) / layout.length
        unit = "cycles/step" if layout.rate is None else "Hz"
        labels = tuple(f"{start * step:.3g}–{(stop - 1) * step:.3g} {unit}" for start, stop in spans)
        return Elements("frequency", spans, labels)

    def settings(self) -> dict[str, Any]:
        return {**super().settings(), "bands": self.bands}


def check_count(name: str, value: Any) -> None:
    """Check a number of units.

    Raises:
        ArgumentError: it is not an integer of at least 2.
    """
    if isinstance(value, bool) or not isinstance(value, int) or value < 2:
        raise ArgumentError(f"expected `{name}` to be an integer of at least 2, got {value!r}")


def channel_labels(channels: int) -> tuple[str, ...]:
    """Names of channels."""
    return tuple(f"channel {number}" for number in range(channels))


def time_label(span: tuple[int, int], rate: float | None) -> str:
    """Name of a segment: its samples, or its seconds."""
    if rate is None:
        return f"{span[0]}–{span[1] - 1}"
    return f"{span[0] / rate:.2f}–{span[1] / rate:.2f} s"
