"""The sound modality."""

from __future__ import annotations

from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from relax.errors import ArgumentError, InputError
from relax.modalities.prepared import Prepared
from relax.modalities.series.layout import Layout, layout_of
from relax.modalities.series.modality import Series
from relax.modalities.shown import Shown
from relax.modalities.sound.reading import SUFFIXES, read
from relax.modalities.units import Masks

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MASKS = {"bands": "frequency-bands", "patches": "time-frequency"}
"""Short names of masks."""


class Sound(Series):
    """Recordings: the path of a WAV, FLAC or OGG file, a Recording, or ``(T,)`` samples of the encoder's rate.

    The encoder is called with ``(N, samples)``. Segments of time are the units, or bands of frequency, or patches of
    the spectrogram. Several channels are averaged, and other rates are resampled; both is said.

    Args:
        transform: a callable on ``(samples,)`` float32 at the encoder's rate, such as one that sets the level.
        patch: has no meaning here.
        rate: samples a second that the encoder takes.
    """

    name = "sound"
    default_masks = "segments"
    default_fill = "silence"
    several_fills = ("silence",)
    suffixes = SUFFIXES

    short_names: ClassVar[dict[str, str]] = {"mean": "mean-spectrum", "zero": "silence", "noise": "level-noise"}

    def __init__(self, transform: Any = None, *, patch: int | None = None, rate: int = 16000) -> None:
        if isinstance(rate, bool) or not isinstance(rate, int):
            raise ArgumentError(f"expected `rate` to be a whole number of samples a second, got {rate!r}")
        super().__init__(transform, patch=patch, rate=rate)
        self.samples_a_second = rate

    def prepare(self, source: Any) -> Prepared:
        if isinstance(source, Prepared):
            return source
        samples, about = read(source, self.samples_a_second)
        tensor = torch.as_tensor(samples if self.transform is None else self.transform(samples), dtype=torch.float32)
        layout = Layout(1, len(tensor), float(self.samples_a_second))
        return self.divided(Prepared({"sound": tensor}, geometry=layout, source=about), (self.masks(None),))

    def split(self, inputs: Any) -> list[Any] | None:
        """Split a list of recordings; ``None`` for one, also as a list of numbers."""
        if isinstance(inputs, (Tensor, np.ndarray)):
            return None
        return super().split(inputs)

    def parts_of(self, file: Path) -> None:
        """``None``: a file is one recording."""

    def probe(self, shape: tuple[int, ...] | None = None) -> Tensor:
        """A second of sound that rises from 100 Hz to a quarter of the rate."""
        time = torch.arange(self.samples_a_second, dtype=torch.float64) / self.samples_a_second
        rise = (self.samples_a_second / 4 - 100) / 2
        return (0.5 * torch.sin(2 * torch.pi * (100 * time + rise * time**2))).float()

    def of_cell(self, value: Any, folder: Path) -> Any:
        """The path of a recording in a cell of a table, relative to the table's folder; samples as they are."""
        if isinstance(value, (np.ndarray, torch.Tensor, PathLike)):
            return value
        if not isinstance(value, str) or not value.strip():
            raise InputError(f"expected the path of a recording in this cell, got {str(value)[:40]!r}")
        return folder / value

    def masks(self, recipe: Any) -> Masks:
        """Resolve masks; ``"bands"`` and ``"patches"`` are those of recordings."""
        return super().masks(MASKS.get(recipe, recipe) if isinstance(recipe, str) else recipe)

    @staticmethod
    def show(explanation: Shown) -> Figure:
        from relax.modalities.sound.showing import plot_sound

        return plot_sound(explanation)

    @classmethod
    def page(cls, explanation: Shown) -> str:
        """The recording, to listen to, and the figure."""
        from relax.modalities.sound.showing import html_of

        return html_of(explanation)

    @staticmethod
    def show_pair(a: Shown, b: Shown, similarity: float, interactions: Any) -> Figure:
        """Both spectrograms on one colour scale, and which unit answers which."""
        from relax.modalities.sound.pairs import plot_pair

        return plot_pair(a, b, similarity, interactions)

    @classmethod
    def page_of_pair(cls, a: Shown, b: Shown, similarity: float, interactions: Any) -> str:
        """Both recordings, to listen to, and the figure."""
        from relax.modalities.sound.pairs import html_of_pair

        return html_of_pair(a, b, similarity, interactions)

    @classmethod
    def card(cls, prepared: Prepared) -> str:
        """The recording, to listen to."""
        from relax.modalities.showing import called
        from relax.modalities.sound.showing import player

        samples = prepared.tensor.numpy()
        return player(samples, layout_of(prepared).rate or 1.0, called(prepared.source))
