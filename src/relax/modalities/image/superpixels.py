"""Masks on superpixels, segments of similar colour."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from relax.errors import ArgumentError
from relax.modalities.prepared import Prepared, tensor_of
from relax.modalities.units import LabelUnits, Masks, check_keep

ALGORITHMS = ("slic", "felzenszwalb")


@dataclass(frozen=True)
class SuperpixelMasks(Masks):
    """Superpixels of the input, computed by scikit-image.

    Args:
        algorithm: ``"slic"`` (Achanta et al. 2012) or ``"felzenszwalb"`` (Felzenszwalb & Huttenlocher 2004).
        n_segments: approximate number of segments of SLIC, at least 2.
        scale: scale of Felzenszwalb, positive; larger values yield larger segments.
        keep: probability of keeping a segment, in (0, 1).

    Raises:
        ArgumentError: an argument is out of range.
    """

    algorithm: str = "slic"
    n_segments: int = 64
    scale: float = 200.0
    keep: float = 0.5

    modalities = ("image",)

    def __post_init__(self) -> None:
        if self.algorithm not in ALGORITHMS:
            raise ArgumentError(f"expected `algorithm` to be one of {', '.join(ALGORITHMS)}, got {self.algorithm!r}")
        if not isinstance(self.n_segments, int) or self.n_segments < 2:
            raise ArgumentError(f"expected `n_segments` to be an integer of at least 2, got {self.n_segments!r}")
        if not self.scale > 0:
            raise ArgumentError(f"expected `scale` to be positive, got {self.scale!r}")
        check_keep(self.keep)

    def over(self, prepared: Prepared | Tensor) -> LabelUnits:
        from skimage.segmentation import felzenszwalb, slic  # takes a fifth of a second, for these masks only

        tensor = tensor_of(prepared)
        picture = np.moveaxis(tensor.float().cpu().numpy(), 0, -1)
        low, high = picture.min(), picture.max()
        picture = (picture - low) / max(high - low, 1e-12)
        if self.algorithm == "slic":
            labels = slic(
                picture, n_segments=self.n_segments, start_label=0, channel_axis=-1, convert2lab=picture.shape[-1] == 3
            )
        else:
            labels = felzenszwalb(picture, scale=self.scale, min_size=picture.shape[0] * picture.shape[1] // 500)
        segments, dense = np.unique(labels, return_inverse=True)
        if len(segments) < 2:
            raise ArgumentError(
                f"{self.algorithm} finds one segment in this input of {picture.shape[0]}x{picture.shape[1]}; use "
                "another algorithm, a smaller scale, or GridMasks"
            )
        return LabelUnits(torch.from_numpy(dense.reshape(labels.shape)).to(tensor.device))

    def settings(self) -> dict[str, Any]:
        return {
            "name": "superpixels",
            "algorithm": self.algorithm,
            "n_segments": self.n_segments,
            "scale": self.scale,
            "keep": self.keep,
        }
