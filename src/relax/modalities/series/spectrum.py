"""The short-time Fourier transform of recordings, in which bands and patches are removed."""

from __future__ import annotations

import torch
from torch import Tensor

WINDOW = 512
"""Samples of a frame, under a Hann window."""

HOP = 128
"""Samples from one frame to the next."""

BINS = WINDOW // 2 + 1
"""Number of frequencies of a frame."""


def frames_of(length: int) -> int:
    """Number of frames of a recording."""
    return length // HOP + 1


def spectrum_of(rows: Tensor) -> Tensor:
    """``(C, T)`` samples to ``(C, bins, frames)`` complex amplitudes."""
    window = torch.hann_window(WINDOW, device=rows.device)
    return torch.stft(rows, WINDOW, HOP, window=window, pad_mode="constant", return_complex=True)


def samples_of(spectrum: Tensor, length: int) -> Tensor:
    """``(C, bins, frames)`` complex amplitudes to ``(C, T)`` samples; the inverse of :func:`spectrum_of`."""
    window = torch.hann_window(WINDOW, device=spectrum.device)
    samples: Tensor = torch.istft(spectrum, WINDOW, HOP, window=window, length=length)
    return samples


def blended(series: Tensor, background: Tensor, masks: Tensor) -> Tensor:
    """Two recordings blended in time and frequency.

    Args:
        series: ``(C, T)``.
        background: ``(C, T)``.
        masks: ``(B, bins)`` or ``(B, bins, frames)``; 1 keeps the first recording.

    Returns:
        ``(B, C, T)``.
    """
    ours, theirs = spectrum_of(series), spectrum_of(background)
    weights = (masks if masks.ndim == 3 else masks[:, :, None])[:, None]
    mixed = theirs + (ours - theirs) * weights
    samples = samples_of(mixed.flatten(0, 1), series.shape[-1])
    return samples.reshape(len(masks), *series.shape)
