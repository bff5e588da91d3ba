"""Do intervals hold the converged map, and is the reliability the correlation with it?"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from skimage import data
from torch import nn
from tqdm.auto import tqdm

import relax
from benchmarks.reliability.held import Held

CONVERGED = {"method": "relax-regression", "n_masks": 12_000}
"""What relax-gradient is to agree with: the same estimand without gradients."""

CASES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "relax, fold-over, 512 masks": ({"method": "relax", "n_masks": 512}, {"n_masks": 30_000}),
    "relax, fold-over, 4,096 masks": ({"method": "relax", "n_masks": 4096}, {"n_masks": 60_000}),
    "relax, independent, 512 masks": (
        {"method": "relax", "n_masks": 512, "design": "independent"},
        {"n_masks": 60_000},
    ),
    "relax-regression, 64 masks": ({"n_masks": 64}, {"n_masks": 20_000}),
    "relax-regression, 128 masks": ({"n_masks": 128}, {"n_masks": 20_000}),
    "relax-regression, 256 masks": ({"n_masks": 256}, {"n_masks": 20_000}),
    "relax-regression, 512 masks": ({"n_masks": 512}, {"n_masks": 20_000}),
    "relax-gradient, 16 masks": ({"method": "relax-gradient", "n_masks": 16}, CONVERGED),
    "relax-gradient, 48 masks": ({"method": "relax-gradient", "n_masks": 48}, CONVERGED),
    "smoothgrad, 32 samples": ({"method": "smoothgrad"}, {"n_samples": 4000}),
    "sobol, 64 designs": ({"method": "sobol", "n_designs": 64}, {"n_designs": 1024}),
}

TRAINED: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "relax, fold-over, 512 masks": ({"method": "relax", "n_masks": 512}, {"n_masks": 12_000}),
    "relax-regression, 64 masks": ({"n_masks": 64}, {"n_masks": 12_000}),
    "relax-regression, 128 masks": ({"n_masks": 128}, {"n_masks": 12_000}),
    "relax-regression, 256 masks": ({"n_masks": 256}, {"n_masks": 12_000}),
    "relax-regression, 512 masks": ({"n_masks": 512}, {"n_masks": 12_000}),
    "relax-gradient, 16 masks": ({"method": "relax-gradient", "n_masks": 16}, CONVERGED),
    "relax-gradient, 48 masks": ({"method": "relax-gradient", "n_masks": 48}, CONVERGED),
    "smoothgrad, 32 samples": ({"method": "smoothgrad"}, {"n_samples": 4000}),
}


class Tiny(nn.Module):
    """Two convolutions with random weights."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.net = nn.Sequential(
            nn.Conv2d(3, 8, 3, stride=2), nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 12, 3, stride=2), nn.ReLU()
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.net(x).mean((2, 3))


def coverage(runs: int, like: str = "") -> Iterator[Held]:
    """A line for each case on the tiny encoder, and for some on a small trained one.

    Args:
        runs: number of seeds.
        like: only cases whose names begin like this.
    """
    generator = torch.Generator().manual_seed(1)
    x = 0.3 * torch.rand(3, 28, 28, generator=generator)
    x[:, 4:14, 6:16] += 2.0
    for name, (how, many) in _named(CASES, like):
        yield _case(f"{name}, tiny encoder", relax.Encoder(Tiny()), x, how, many, runs)
    small = relax.load_encoder("fashion:simclr", device="cpu")
    picture = data.chelsea()[:300, 60:360]
    for name, (how, many) in _named(TRAINED, like):
        yield _case(f"{name}, trained encoder", small, picture, how, many, max(runs // 4, 4))


def _named(cases: dict[str, Any], like: str) -> list[tuple[str, Any]]:
    return [item for item in cases.items() if item[0].startswith(like)]


def _case(name: str, encoder: relax.Encoder, x: Any, how: dict[str, Any], many: dict[str, Any], runs: int) -> Held:
    common: dict[str, Any] = {"precision": "float32", "batch_size": 64}
    truth = relax.explain(encoder, x, seed=10_000, **common, **{**how, **many})
    explainer = relax.Explainer(encoder, **common, **how)
    held: dict[float, list[float]] = {0.9: [], 0.95: []}
    stated, true = [], []
    for seed in tqdm(range(runs), desc=name, leave=False):
        e = explainer(x, seed=seed)
        for level, shares in held.items():
            low, high = e.confidence_interval(level)
            shares.append(float(np.mean((low <= truth.importance) & (truth.importance <= high))))
        stated.append(e.reliability)
        true.append(np.corrcoef(e.importance.ravel(), truth.importance.ravel())[0, 1])
    words = "; ".join(
        f"{level:.0%} intervals hold {_mean(shares)} of pixels".replace("%", " %", 1) for level, shares in held.items()
    )
    if np.isfinite(stated).all():
        words += f"; reliability {np.mean(stated):.3f} stated, {np.mean(true):.3f} true"
    return Held(f"coverage: {name}", runs, sum(share >= 0.8 for share in held[0.95]), words)


def _mean(shares: list[float]) -> str:
    """Mean of some runs, with its 95 % interval."""
    return f"{np.mean(shares):.1%} ± {1.96 * np.std(shares, ddof=1) / np.sqrt(len(shares)):.1%}"
