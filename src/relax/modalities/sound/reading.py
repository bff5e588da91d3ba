"""Read recordings: from files and arrays, averaged to one channel, resampled to the encoder's rate."""

from __future__ import annotations

from dataclasses import dataclass
from math import gcd
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from relax._support.extras import require
from relax._support.warning import warn
from relax.errors import InputError, first_line
from relax.modalities.files import not_found
from relax.modalities.series.layout import real

SHORTEST = 0.1
"""Smallest number of seconds of a recording."""

SUFFIXES = (".wav", ".flac", ".ogg", ".mp3")
"""Suffixes of recordings in a folder."""


@dataclass(frozen=True, eq=False)
class Recording:
    """Samples with their rate.

    Attributes:
        samples: ``(T,)`` or ``(T, C)``.
        rate: samples a second.
    """

    samples: Any
    rate: float


def read(source: Any, rate: int) -> tuple[np.ndarray, dict[str, Any]]:
    """Samples of one channel at a rate, and their provenance.

    Says so if the recording has another rate or several channels.

    Args:
        source: the path of a file, a :class:`Recording`, or ``(T,)`` samples of this rate.
        rate: samples a second.

    Raises:
        InputError: the source cannot be read, is too short, or is silent.
        MissingExtraError: soundfile, which reads files, is not installed.
    """
    about: dict[str, Any]
    if isinstance(source, (str, PathLike)):
        recording, about = _from_file(Path(source)), {"source": str(source), "name": Path(source).name}
    elif isinstance(source, Recording):
        recording, about = source, {"source": "recording", "name": "recording"}
    else:
        recording, about = Recording(source, rate), {"source": "samples", "name": "recording"}
    try:
        samples = real(recording.samples, "a recording").numpy()
    except InputError as error:
        raise InputError(f"{about['name']}: {error}" if isinstance(source, (str, PathLike)) else str(error)) from None
    if samples.ndim not in (1, 2) or (samples.ndim == 2 and not isinstance(source, (str, PathLike, Recording))):
        raise InputError(
            f"expected samples of shape (T,), got {samples.shape}; give several channels as relax.Recording(samples, "
            "rate) of shape (T, C)"
        )
    name = about["name"]
    if isinstance(recording.rate, bool) or not recording.rate >= 1:
        raise InputError(f"{name}: expected a rate in samples a second, got {recording.rate!r}")
    seconds = len(samples) / recording.rate
    if seconds < SHORTEST:
        raise InputError(f"{name}: expected a recording of at least {SHORTEST} s, got {seconds:.3g} s")
    if samples.ndim == 2:
        if samples.shape[1] > 1:
            warn(f"{name}: {samples.shape[1]} channels; their average is explained")
            about["channels"] = samples.shape[1]
        samples = samples.mean(1)
    if not np.ptp(samples) > 0:
        raise InputError(f"{name}: the recording is silent: nothing in it can be removed")
    if recording.rate != rate:
        warn(f"{name}: resampled from {recording.rate:g} Hz to {rate} Hz, the rate of the encoder")
        about["rate"] = recording.rate
        samples = _resampled(samples, round(recording.rate), rate)
    return samples.astype(np.float32), {**about, "seconds": round(seconds, 3)}


def _resampled(samples: np.ndarray, given: int, rate: int) -> np.ndarray:
    from scipy.signal import resample_poly

    divisor = gcd(given, rate)
    resampled: np.ndarray = resample_poly(samples, rate // divisor, given // divisor)
    return resampled


def _from_file(path: Path) -> Recording:
    if not path.is_file():
        raise not_found(path)
    soundfile = require("soundfile", extra="sound")
    try:
        samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
    except (RuntimeError, ValueError, OSError) as error:  # soundfile's own errors are RuntimeErrors
        raise InputError(f"{path}: cannot be read as a recording: {first_line(error)}") from None
    return Recording(samples, rate)
