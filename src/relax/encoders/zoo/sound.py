"""``sound:NAME``: encoders of recordings whose weights come in a package."""

from __future__ import annotations

import hashlib
import pickle
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from relax.encoders.base import Encoder
from relax.errors import EncoderError, MissingExtraError, UnknownNameError, first_line
from relax.modalities.sound.modality import Sound

PACKAGE, DIGEST = "resemblyzer", "39373b86598fa3da9fcddee6142382efe09777e8d37dc9c0561f41f0070f134e"
"""Package with the speaker encoder, and the SHA-256 of its weights."""

RATE = 16000
"""Samples a second."""

WINDOW, HOP, MELS = 400, 160, 40
"""Samples of a frame, samples between frames, bands of a frame."""

FRAMES, STEP = 160, 77
"""Frames of a part, 1.6 s, and frames between parts, 1.3 a second."""

COVERED = 0.75
"""Smallest share of the last part that the recording covers; a shorter rest is left out."""

LEVEL = -30.0
"""Decibels below full scale that quieter recordings are raised to."""


def sound_encoder(name: str) -> Encoder:
    """An encoder of recordings whose weights come in a package.

    Args:
        name: ``"resemblyzer"``: a speaker encoder (Apache-2.0; GE2E, Wan et al., arXiv 1710.10467), 256 dimensions of
            length 1 at 16 kHz. Quiet recordings are raised to −30 dB; pauses are not cut out, unlike in the package.

    Raises:
        UnknownNameError: there is no such encoder.
        MissingExtraError: its package is not installed.
        EncoderError: the weights are not those of the package.
    """
    if name != "resemblyzer":
        raise UnknownNameError(f"unknown encoder 'sound:{name}'; expected sound:resemblyzer")
    spec = find_spec(PACKAGE)  # the package itself is not imported: it needs librosa and webrtcvad
    if spec is None or not spec.submodule_search_locations:
        raise MissingExtraError(f"this encoder needs the package {PACKAGE}: pip install --no-deps {PACKAGE}")
    path = Path(spec.submodule_search_locations[0]) / "pretrained.pt"
    with path.open("rb") as file:
        if hashlib.file_digest(file, "sha256").hexdigest() != DIGEST:
            raise EncoderError(f"{path}: not the weights that this package is known for; install the package again")
    model = SpeakerEncoder()
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)["model_state"]
        model.load_state_dict({key: state[key] for key in model.state_dict()})
    except (pickle.UnpicklingError, RuntimeError, KeyError) as error:
        raise EncoderError(f"{path}: cannot be loaded safely: {first_line(error)}") from error
    origin = {"name": "sound:resemblyzer"}
    return Encoder(model, modality=Sound(raised, rate=RATE), name="sound:resemblyzer", origin=origin)


class SpeakerEncoder(nn.Module):
    """Three LSTM layers over mel spectrograms, a projection, ReLU, length 1; averaged over parts of 1.6 s."""

    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTM(MELS, 256, 3, batch_first=True)
        self.linear = nn.Linear(256, 256)
        self.register_buffer("filters", mel_filters(), persistent=False)
        places = torch.arange(WINDOW, dtype=torch.float64)[:, None]
        angles = 2 * torch.pi / WINDOW * places * torch.arange(WINDOW // 2 + 1)
        waves = torch.cat([angles.cos(), angles.sin()], 1) * torch.hann_window(WINDOW, dtype=torch.float64)[:, None]
        self.register_buffer("waves", waves.float(), persistent=False)

    def forward(self, samples: Tensor) -> Tensor:
        """``(N, samples)`` at 16 kHz to ``(N, 256)`` of length 1."""
        with torch.autocast(samples.device.type, enabled=False):
            starts = parts_of(samples.shape[1])
            needed = (starts[-1] + FRAMES) * HOP
            padded = nn.functional.pad(samples, (0, max(0, needed - samples.shape[1])))
            mels = self.mels(padded)
            parts = torch.stack([mels[:, start : start + FRAMES] for start in starts], 1)
            hidden = self.lstm(parts.flatten(0, 1))[1][0][-1]
            embedded = nn.functional.normalize(torch.relu(self.linear(hidden)), dim=1)
            return nn.functional.normalize(embedded.reshape(-1, len(starts), 256).mean(1), dim=1)

    def mels(self, samples: Tensor) -> Tensor:
        """``(N, samples)`` to ``(N, frames, 40)`` power in bands of mel, not in logarithms.

        The Fourier transform is a convolution with real waves: other engines know no complex numbers.
        """
        waves = self.get_buffer("waves").T[:, None]
        parts = nn.functional.conv1d(samples[:, None], waves, stride=HOP, padding=WINDOW // 2).square()
        cosine, sine = parts.chunk(2, 1)
        return (self.get_buffer("filters") @ (cosine + sine)).transpose(1, 2)


def parts_of(length: int) -> list[int]:
    """First frames of the parts of a recording of ``length`` samples."""
    n_frames = -(-(length + 1) // HOP)
    starts = list(range(0, max(1, n_frames - FRAMES + STEP + 1), STEP))
    covered = (length - starts[-1] * HOP) / (FRAMES * HOP)
    return starts[:-1] if covered < COVERED and len(starts) > 1 else starts


def raised(samples: np.ndarray) -> np.ndarray:
    """Samples raised to −30 dB if they are quieter."""
    level = 10 * np.log10(max(float(np.mean(np.square(samples, dtype=np.float64))), 1e-20))
    louder: np.ndarray = samples * np.float32(10 ** (max(LEVEL - level, 0.0) / 20))
    return louder


def mel_filters() -> Tensor:
    """``(40, 201)`` triangles on Slaney's mel scale, each of area 1.

    The scale is linear below 1 kHz, 66.7 Hz a step, and logarithmic above, 27 steps for a factor of 6.4 (Slaney,
    Auditory Toolbox, 1998).
    """
    top = 15 + np.log(RATE / 2 / 1000) * 27 / np.log(6.4)
    steps = np.linspace(0, top, MELS + 2)
    hertz = np.where(steps < 15, steps * 200 / 3, 1000 * np.exp((steps - 15) * np.log(6.4) / 27))
    bins = np.linspace(0, RATE / 2, WINDOW // 2 + 1)
    left, middle, right = hertz[:-2, None], hertz[1:-1, None], hertz[2:, None]
    triangles = np.minimum((bins - left) / (middle - left), (right - bins) / (right - middle)).clip(0)
    return torch.from_numpy(triangles * 2 / (right - left)).float()
