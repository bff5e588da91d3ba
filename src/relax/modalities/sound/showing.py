"""Figures and pages of explained recordings."""

from __future__ import annotations

import base64
import io
from html import escape
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from relax.modalities import masks as masks_
from relax.modalities.pointer import Cells, said
from relax.modalities.series.layout import Elements, Layout, finest
from relax.modalities.series.masks import SeriesMasks
from relax.modalities.series.spectrum import spectrum_of
from relax.modalities.showing import as_html, called, title_of
from relax.modalities.shown import Shown
from relax.modalities.sound.masks import edges_of

FLOOR = 80.0
"""Decibels below the loudest point at which a spectrogram is white."""

MOST_READ = 400
"""Most units of a figure with values under the pointer."""


def plot_sound(explanation: Shown) -> Figure:
    """Plot the waveform, the spectrogram, and the map over both with its colour bar and standard error.

    Red parts raise the score, blue ones lower it.

    Args:
        explanation: explanation of a recording.
    """
    (samples,), rate = explanation.inputs.values(), rate_of(explanation)
    elements, layout = elements_of(explanation)
    seconds, hertz = edges_of(elements, layout)
    effect = explanation.effect.reshape(len(hertz) - 1, len(seconds) - 1)
    peak = float(np.nanmax(np.abs(effect))) or 1.0
    figure = Figure(figsize=(10, 7), layout="constrained", dpi=110)
    FigureCanvasAgg(figure)
    wave, spectrogram, map_ = figure.subplots(3, 1, sharex=True, height_ratios=(1, 2, 2))
    wave.plot(np.arange(len(samples)) / rate, samples, linewidth=0.4, color="0.2")
    wave.set_ylabel("amplitude")
    decibels = decibels_of(samples)
    extent = (0.0, len(samples) / rate, 0.0, rate / 2)
    grey = {"cmap": "gray_r", "vmin": -FLOOR, "vmax": 0, "origin": "lower", "aspect": "auto", "extent": extent}
    shown = spectrogram.imshow(decibels, **grey)
    figure.colorbar(shown, ax=spectrogram, label="dB below the loudest point")
    map_.imshow(decibels, **grey)
    mesh = map_.pcolormesh(seconds, hertz, effect, cmap="RdBu_r", vmin=-peak, vmax=peak, alpha=0.6)
    figure.colorbar(mesh, ax=map_, label=f"change of the\n{explanation.measures['importance']}")
    if elements.domain == "time":
        for start, stop, value in zip(seconds, seconds[1:], effect[0], strict=False):
            wave.axvspan(start, stop, color=mesh.to_rgba(float(value)), alpha=0.45, linewidth=0)
    for axes in (spectrogram, map_):
        axes.set_ylabel("frequency (Hz)")
    if effect.size <= MOST_READ:
        names = [
            f"{start:.2f}–{stop:.2f} s, {low:.0f}–{high:.0f} Hz"
            for low, high in pairwise(hertz)
            for start, stop in pairwise(seconds)
        ]
        texts = np.array(said(explanation, names), dtype=object).reshape(effect.shape)
        for axes in (spectrogram, map_):
            axes.add_artist(Cells(seconds, hertz, texts.tolist()))
    map_.set_xlabel(f"time (s){_error(explanation)}")
    figure.suptitle(title_of(explanation), fontsize=9, wrap=True)
    return figure


def html_of(explanation: Shown) -> str:
    """The recording as the encoder hears it, to listen to, and the figure below it; needs no other file.

    Args:
        explanation: explanation of a recording.
    """
    (samples,) = explanation.inputs.values()
    heard = player(samples, rate_of(explanation), called(explanation.settings["input"]))
    figure = as_html(plot_sound(explanation), title_of(explanation))
    return f'<div style="max-width:70em">{heard}{figure}</div>'


def player(samples: np.ndarray, rate: float, name: str) -> str:
    """A recording as an HTML player that needs no other file, as loud as it can be.

    Args:
        samples: ``(T,)``.
        rate: samples a second.
        name: what it is called.
    """
    from scipy.io import wavfile

    loudest = max(float(np.abs(samples).max()), 1e-9)
    file = io.BytesIO()
    wavfile.write(file, round(rate), (samples / loudest * 32000).astype(np.int16))
    data = base64.b64encode(file.getvalue()).decode()
    source = f"data:audio/wav;base64,{data}"
    return f'<audio controls style="width:100%" aria-label="{escape(name)}" src="{source}"></audio>'


def decibels_of(samples: np.ndarray) -> np.ndarray:
    """The spectrogram of a recording, ``(bins, frames)``, in decibels below its loudest point."""
    power = spectrum_of(torch.from_numpy(np.array(samples))[None])[0].abs().numpy()
    decibels: np.ndarray = 20 * np.log10(np.maximum(power, 1e-12) / max(power.max(), 1e-12))
    return decibels


def elements_of(explanation: Shown) -> tuple[Elements, Layout]:
    """The elements of the map of an explained recording, and its layout."""
    (samples,) = explanation.inputs.values()
    layout = Layout(1, len(samples), rate_of(explanation))
    recipes = explanation.settings["masks"]
    kinds: list[Any] = [masks_.create(**one) for one in (recipes if isinstance(recipes, list) else [recipes])]
    return finest([kind.elements(layout) for kind in kinds if isinstance(kind, SeriesMasks)]), layout


def rate_of(explanation: Shown) -> float:
    """Samples a second of an explained recording."""
    return float(explanation.settings["encoder"].get("rate", 16000))


def _error(explanation: Shown) -> str:
    error = explanation.standard_error
    if error is None or not np.isfinite(error).all():
        return ""
    return f"; standard error of the map {error.mean():.2g}" if error.any() else "; exact: all masks were tried"
