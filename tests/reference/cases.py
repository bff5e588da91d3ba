"""Settings whose maps must not change; run as a script, it wrote maps.npz before the structure was rebuilt."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch

import relax

FILE = Path(__file__).parent / "maps.npz"
MAPS = ("importance", "uncertainty", "standard_error")

EVERY = 8
"""Rows and columns of a large map that are kept: every eighth."""

CASES: dict[str, dict[str, Any]] = {
    "relax": {"method": "relax", "n_masks": 512},
    "independent": {"method": "relax", "n_masks": 512, "design": "independent", "seed": 3},
    "adaptive": {"method": "relax"},
    "one block": {"method": "relax", "n_masks": 64, "masks": relax.GridMasks(5)},
    "rectangular": {"method": "relax", "n_masks": 256, "masks": relax.GridMasks((5, 4))},
    "keep a third": {"method": "relax", "n_masks": 300, "design": "independent", "masks": relax.GridMasks(7, keep=0.3)},
    "authors' offsets": {"method": "relax", "n_masks": 256, "masks": relax.GridMasks(7, offsets="relax-xai")},
    "patches": {"method": "relax", "n_masks": 256, "masks": relax.PatchMasks(4)},
    "superpixels": {"method": "relax", "n_masks": 256, "masks": relax.SuperpixelMasks(n_segments=20)},
    "two grids": {"method": "relax", "n_masks": 256, "masks": relax.MultiScaleMasks((4, 7))},
    "blur": {"method": "relax", "n_masks": 256, "fill": "blur"},
    "noise": {"method": "relax", "n_masks": 256, "fill": "noise", "seed": 5},
    "dot product": {"method": "relax", "n_masks": 256, "similarity": "dot"},
    "RBF": {"method": "relax", "n_masks": 256, "similarity": "rbf"},
    "u-relax": {"method": "u-relax", "n_masks": 256, "threshold": "quantile:0.4"},
    "repeat": {"method": "repeat", "n_masks": 512},
    "repeat-weighted": {"method": "repeat-weighted", "n_masks": 512, "cut": "otsu"},
    "occlusion": {"method": "occlusion"},
    "units one by one": {"method": "occlusion", "window": "units"},
    "saliency": {"method": "saliency"},
    "hsic": {"method": "hsic", "n_samples": 256},
}


def image() -> torch.Tensor:
    """``(3, 28, 28)`` with one salient corner."""
    generator = torch.Generator().manual_seed(1)
    image = 0.3 * torch.rand(3, 28, 28, generator=generator)
    image[:, 4:14, 6:16] += 2.0
    return image


def explanations(tiny: torch.nn.Module) -> dict[str, relax.Explanation]:
    """Every case on the tiny encoder."""
    x = image()
    made = {name: relax.explain(tiny, x, precision="float32", **case) for name, case in CASES.items()}
    with_relax = {"method": "relax", "n_masks": 256, "precision": "float32"}
    made["against another"] = relax.explain(tiny, x, x.flip(2), **with_relax)
    corpus = relax.Corpus([x.flip(1), x.flip(2)], foil=[x.roll(5, 1)])
    made["against a corpus"] = relax.explain(tiny, x, corpus, **with_relax)
    views = {"a": x, "b": x[0, 10]}
    model = _TwoViews(tiny)
    for how in ("joint", "one-at-a-time"):
        found = relax.explain(model, views, views=how, method="relax", n_masks=256, precision="float32")
        made |= {f"view {key}, {how}": e for key, e in found.items()}
    pair = relax.match(tiny, x, x.flip(2), method="relax", n_masks=256, precision="float32")
    made |= {"match, a": pair.a, "match, b": pair.b}
    return made


class _TwoViews(torch.nn.Module):
    """A picture and a vector, side by side."""

    def __init__(self, inner: torch.nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, views: dict[str, torch.Tensor]) -> torch.Tensor:
        return torch.cat([self.inner(views["a"]), views["b"].tanh()], dim=1)


def photograph(encoder: relax.Encoder) -> relax.Explanation:
    """A real photograph by the embedded encoder; its maps are kept thinned."""
    from skimage import data

    return relax.explain(encoder, data.chelsea(), method="relax", n_masks=256, precision="float32")


def arrays(explanations: dict[str, relax.Explanation], every: int = 1) -> dict[str, np.ndarray]:
    """``CASE/MAP`` to the map."""
    return {
        f"{case}/{name}": values[::every, ::every] if values.ndim == 2 else values
        for case, e in explanations.items()
        for name in MAPS
        if (values := getattr(e, name)) is not None
    }


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[1]))
    import warnings

    from conftest import TinyEncoder

    warnings.simplefilter("ignore")
    tiny_maps = arrays(explanations(TinyEncoder().eval()))
    lite0 = relax.load_encoder("efficientnet-lite0", device="cpu")
    np.savez_compressed(FILE, **tiny_maps, **arrays({"photograph": photograph(lite0)}, EVERY))
