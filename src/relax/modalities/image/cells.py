"""Cells of images, and priors on their effects: smooth in place, and in place and colour."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import torch
import torch.nn.functional as F
from skimage.color import rgb2lab
from torch import Tensor

from relax.modalities.cells import Cells
from relax.modalities.kernels import Kernel, gaussian, separable

SIDE = 28
"""Number of cells along each side, at most the number of pixels."""

LENGTHS = (1.5, 3.0, 6.0)
"""Length scales of the prior, in cells of a 28x28 grid."""

SHOWN = 7
"""Number of units along each side, as in the paper's grid: the importance is that of 1/49 of the image."""

COLOUR = 12.0
"""Length scale of the prior in the colour space CIELAB; neighbouring hues are about that far apart."""


def image_cells(tensor: Tensor) -> Cells:
    """Cells of an image.

    Each length scale gives two kernels: ``exp(−|p − q|² / 2ℓ²)``, and the same times ``exp(−|c_p − c_q|² / 2c²)`` for
    colours in CIELAB, so that effects may end where the colour changes. The marginal likelihood weighs them.

    Args:
        tensor: model-ready image ``(C, H, W)``.
    """
    height, width = tensor.shape[-2:]
    grid = (min(SIDE, height), min(SIDE, width))
    colours = gaussian(_colours(tensor, grid), COLOUR)
    kernels: dict[str, Tensor | Kernel] = {}
    for length, smooth in zip(LENGTHS, _smooth(grid), strict=True):
        kernels[f"place {length:g}"] = smooth
        kernels[f"place {length:g} and colour"] = smooth.matrix * colours
    return Cells((height, width), grid, kernels, unit=tuple(max(side / SHOWN, 1.0) for side in grid), smooth=True)


@lru_cache(maxsize=4)
def _smooth(grid: tuple[int, int]) -> list[Kernel]:
    """Kernels of each length scale; shared by all inputs of a size."""
    places = [torch.arange(cells, dtype=torch.float64)[:, None] * SIDE / cells for cells in grid]
    return [separable([gaussian(axis, length) for axis in places]) for length in LENGTHS]


def _colours(tensor: Tensor, grid: tuple[int, int]) -> Tensor:
    """Mean colour of each cell in CIELAB, ``(P, 3)``; lightness alone unless there are three channels."""
    picture = tensor.detach().float().cpu()
    low, high = picture.min(), picture.max()
    picture = (picture - low) / (high - low).clamp_min(1e-12)
    if len(picture) == 3:
        picture = torch.from_numpy(np.moveaxis(rgb2lab(np.moveaxis(picture.numpy(), 0, -1)), -1, 0))
    else:
        picture = 100 * picture
    return F.adaptive_avg_pool2d(picture.double()[None], grid)[0].flatten(1).T
