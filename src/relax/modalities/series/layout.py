"""What the elements of a map over a series are: segments of time, channels, bands of frequency, or patches."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from torch import Tensor

from relax.errors import ArgumentError, InputError
from relax.modalities.prepared import Prepared
from relax.modalities.units import LabelUnits

Span = tuple[int, int]
"""Start and stop, in samples, channels or bins of frequency."""


@dataclass(frozen=True)
class Elements:
    """The elements of a map.

    Attributes:
        domain: where units are removed: ``"time"``, ``"channel"``, ``"frequency"`` (of the whole series), ``"band"`` or
            ``"patch"`` (of a spectrogram).
        rows: spans of samples, channels or bins; of bins for patches.
        columns: spans of frames of time for patches; empty for other domains.
        labels: name of each row.
    """

    domain: str
    rows: tuple[Span, ...]
    labels: tuple[str, ...]
    columns: tuple[Span, ...] = ()

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of a map."""
        return (len(self.rows), len(self.columns)) if self.columns else (len(self.rows),)

    def spread(self, kept: Tensor) -> Tensor:
        """Masks over samples, channels or bins (and frames), from masks over elements.

        Args:
            kept: ``(B, *shape)``.

        Returns:
            ``(B, samples)``, ``(B, channels)``, ``(B, bins)`` or ``(B, bins, frames)``.
        """
        spread = kept[:, owner(self.rows).to(kept.device)]
        return spread[:, :, owner(self.columns).to(kept.device)] if self.columns else spread


@dataclass(frozen=True)
class Layout:
    """Size of a series, and the elements of its maps.

    Attributes:
        channels: number of channels.
        length: number of samples.
        rate: samples a second; ``None`` where time has no unit.
        elements: the elements of its maps; ``None`` until they are chosen.
        names: names of the channels; ``None`` without.
    """

    channels: int
    length: int
    rate: float | None = None
    elements: Elements | None = None
    names: tuple[str, ...] | None = None

    @property
    def bins(self) -> int:
        """Number of frequencies of the discrete Fourier transform."""
        return self.length // 2 + 1


def owner(spans: Sequence[Span]) -> Tensor:
    """Index of the span that each place belongs to; spans follow each other from 0."""
    return torch.repeat_interleave(torch.arange(len(spans)), torch.tensor([stop - start for start, stop in spans]))


def equal(size: int, parts: int) -> tuple[Span, ...]:
    """Spans of about equal length that cover ``size`` places, at most one a place."""
    parts = min(parts, size)
    edges = [number * size // parts for number in range(parts + 1)]
    return tuple(pairwise(edges))


def layout_of(prepared: Prepared | Tensor) -> Layout:
    """Layout of a prepared series or recording.

    Raises:
        ArgumentError: the input is neither.
    """
    layout = prepared.geometry if isinstance(prepared, Prepared) else None
    if not isinstance(layout, Layout):
        raise ArgumentError("masks on time and frequency need a series or a recording; use other masks for this input")
    return layout


def units_over(prepared: Prepared | Tensor, own: Elements) -> LabelUnits:
    """Units of one kind of masks over the elements of an input's maps, which are those of the finest kind.

    Args:
        prepared: the input.
        own: the units of the masks.

    Raises:
        ArgumentError: maps of the input are about something else than these units.
    """
    elements = layout_of(prepared).elements or own
    if elements.domain != own.domain:
        raise ArgumentError(
            f"masks of {own.domain} do not go with masks of {elements.domain} in one map; explain twice"
        )
    row = _of_middles(elements.rows, own.rows)
    if not own.columns:
        return LabelUnits(row)
    return LabelUnits(row[:, None] * len(own.columns) + _of_middles(elements.columns, own.columns))


def finest(kinds: Sequence[Elements]) -> Elements:
    """The elements of the kind of masks with most units.

    Raises:
        ArgumentError: the kinds remove units of different domains.
    """
    domains = sorted({kind.domain for kind in kinds})
    if len(domains) > 1:
        raise ArgumentError(f"masks of {' and '.join(domains)} do not go together in one map; explain twice")
    return max(kinds, key=lambda kind: (len(kind.rows), len(kind.columns)))


def real(source: Any, what: str) -> Tensor:
    """A tensor of finite numbers.

    Args:
        source: a tensor, an array, or a (nested) list of numbers.
        what: name of the input in messages.

    Raises:
        InputError: it is not.
    """
    if isinstance(source, np.ndarray):  # torch takes no reversed views or foreign byte orders
        source = np.array(source, dtype=source.dtype.newbyteorder("="), order="C")
    try:
        values = torch.as_tensor(source).detach().to(torch.float32)
    except (TypeError, ValueError, RuntimeError) as error:
        raise InputError(f"expected {what} of numbers, got {type(source).__name__}") from error
    bad = int((~torch.isfinite(values)).sum())
    if bad:
        raise InputError(f"the {what.removeprefix('a ')} has {bad} NaN or infinite values; fill them first")
    return values


def _of_middles(elements: Sequence[Span], spans: Sequence[Span]) -> Tensor:
    """Index of the span around the middle of each element."""
    owners = owner(spans)
    return torch.stack([owners[(start + stop - 1) // 2] for start, stop in elements])
