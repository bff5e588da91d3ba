"""Noisy linear imputation: removed pixels are guessed from their neighbours (ROAD, Rong et al., ICML 2022)."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F
from scipy.sparse import coo_matrix, identity
from scipy.sparse.linalg import spsolve
from torch import Tensor

ROAD_SIDE = 56
"""Pixels of the shorter side at which pixels are imputed; the result is enlarged."""

ROAD_NOISE = 0.1
"""Standard deviation of the imputation's noise, in those of the input."""

Remove = Callable[[Tensor], Tensor]
"""From ``(B, H, W)`` masks, 1 where the input is kept, to a batch of inputs."""


def road(x: Tensor, seed: int) -> Remove:
    """Removed pixels become the weighted mean of their neighbours, removed ones included, with a little noise.

    Args:
        x: the input, ``(C, H, W)``.
        seed: random seed of the noise.
    """
    height, width = x.shape[-2:]
    factor = max(min(height, width) // ROAD_SIDE, 1)
    small = F.interpolate(x[None], scale_factor=1 / factor, mode="area")[0] if factor > 1 else x
    noise = torch.from_numpy(np.random.default_rng([seed, 0x726F]).standard_normal(tuple(x.shape))).to(x)
    noise = ROAD_NOISE * x.std() * noise

    def remove(kept: Tensor) -> Tensor:
        rows = []
        for mask in kept.cpu():
            coarse = F.interpolate(mask[None, None].float(), size=tuple(small.shape[-2:]), mode="area")[0, 0] > 0.5
            smooth = torch.from_numpy(imputed(small.cpu().numpy(), coarse.numpy())).to(x)
            large = F.interpolate(smooth[None], size=(height, width), mode="bilinear", align_corners=False)[0]
            rows.append(torch.where(mask.to(x.device), x, large + noise))
        return torch.stack(rows)

    return remove


def imputed(values: np.ndarray, kept: np.ndarray) -> np.ndarray:
    """Noisy linear imputation without the noise: each removed pixel is the weighted mean of its eight neighbours.

    Neighbours beside a pixel weigh 1/6, those across a corner 1/12, renormalised at the border (Rong et al., 2022).

    Args:
        values: ``(C, H, W)``.
        kept: ``(H, W)`` bool; with no kept pixel the mean stands everywhere.

    Returns:
        ``(C, H, W)``, the same where pixels are kept.
    """
    if not kept.any():
        return np.broadcast_to(values.mean((1, 2), keepdims=True), values.shape).copy()
    removed = np.flatnonzero(~kept)
    if not len(removed):
        return values.copy()
    height, width = kept.shape
    number = np.full(kept.size, -1)
    number[removed] = np.arange(len(removed))
    flat, known = values.reshape(len(values), -1).astype(np.float64), np.zeros((len(values), len(removed)))
    weights_of_all = np.zeros(len(removed))
    entries = []
    y, x = np.divmod(removed, width)
    for dy, dx in ((-1, 0), (1, 0), (0, -1), (0, 1), (-1, -1), (-1, 1), (1, -1), (1, 1)):
        weight = 1 / 12 if dy and dx else 1 / 6
        inside = (y + dy >= 0) & (y + dy < height) & (x + dx >= 0) & (x + dx < width)
        here, there = np.flatnonzero(inside), ((y + dy) * width + x + dx)[inside]
        weights_of_all[here] += weight
        among = number[there] >= 0
        entries.append((here[among], number[there[among]], np.full(among.sum(), weight)))
        known[:, here[~among]] += weight * flat[:, there[~among]]
    rows, columns, weights = (np.concatenate(part) for part in zip(*entries, strict=True))
    between = coo_matrix((weights / weights_of_all[rows], (rows, columns)), shape=(len(removed),) * 2)
    system = (identity(len(removed)) - between).tocsc()
    flat[:, removed] = np.atleast_2d(spsolve(system, (known / weights_of_all).T).T).reshape(len(values), -1)
    return flat.reshape(values.shape).astype(values.dtype)
