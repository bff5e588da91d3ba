"""Fashion-MNIST, and scenes made from it: one garment in a random colour on a crop of a real photograph."""

from __future__ import annotations

import gzip
from functools import cache
from pathlib import Path

import numpy as np
import skimage
from PIL import Image
from scipy.ndimage import binary_fill_holes

from relax.datasets.base import Object, Sample
from relax.datasets.cache import FASHION_MNIST, find
from relax.errors import ArgumentError

CLASSES = ("t-shirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle boot")
TEXTURES = ("grass.png", "gravel.png", "brick.png", "coffee.png", "rocket.jpg", "chelsea.png", "hubble_deep_field.jpg")
SPLITS = {"train": "train", "test": "t10k"}
GARMENT_THRESHOLD = 16
"""Smallest grey value (0-255) of a pixel of the garment."""


def fashion_mnist(split: str = "test") -> tuple[np.ndarray, np.ndarray]:
    """Load a split of Fashion-MNIST.

    Args:
        split: ``"train"`` or ``"test"``.

    Returns:
        ``(N, 28, 28)`` uint8 images and ``(N,)`` uint8 labels.

    Raises:
        ArgumentError: there is no such split.
        InputError: the files are missing; the message says how to get them.
    """
    if split not in SPLITS:
        raise ArgumentError(f"expected the split of Fashion-MNIST to be one of {', '.join(SPLITS)}, got {split!r}")
    return _read(find(FASHION_MNIST), SPLITS[split])


class FashionScenes:
    """Scenes of one garment with an exact mask and one of ten categories.

    Args:
        split: ``"test"``, or ``"train"``, the scenes that the small encoders were trained on.
        seed: random seed of positions, sizes, colours and backgrounds.
        size: side of a scene in pixels.

    Raises:
        ArgumentError: there is no such split.
        InputError: Fashion-MNIST is missing; the message says how to get it.
    """

    def __init__(self, split: str = "test", seed: int = 0, size: int = 64) -> None:
        self.pictures, self.labels = fashion_mnist(split)
        self.split, self.seed, self.size = split, seed, size
        self.name = "fashion-scenes" if split == "test" else f"fashion-scenes:{split}"

    def __len__(self) -> int:
        return len(self.pictures)

    def id(self, index: int) -> str:
        """Name of a scene, without composing it."""
        return f"{self.name}-{self.seed}-{index:05d}"

    def __getitem__(self, index: int) -> Sample:
        if not 0 <= index < len(self):
            raise IndexError(index)
        rng = np.random.default_rng([self.seed, index, self.split == "train"])
        pixels, mask = self.scene(index, rng)
        return Sample(self.id(index), Image.fromarray(pixels), (Object(CLASSES[self.labels[index]], mask),))

    def scene(self, index: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Compose one scene.

        Args:
            index: index of the garment.
            rng: random generator of everything else.

        Returns:
            The ``(size, size, 3)`` uint8 scene and the ``(size, size)`` bool mask of the garment.
        """
        size = self.size
        side = int(rng.integers(size // 2, size * 3 // 4 + 1))
        small = Image.fromarray(self.pictures[index])
        garment = np.asarray(small.resize((side, side), Image.Resampling.BILINEAR), dtype=np.float32)
        garment_mask = binary_fill_holes(garment >= GARMENT_THRESHOLD)
        top, left = rng.integers(0, size - side + 1, 2)
        pixels = _texture(rng, size)
        tint = rng.uniform(0.3, 1.0, 3).astype(np.float32)
        region = pixels[top : top + side, left : left + side]
        region[garment_mask] = (garment[..., None] * tint)[garment_mask]
        mask = np.zeros((size, size), dtype=bool)
        mask[top : top + side, left : left + side] = garment_mask
        return pixels.astype(np.uint8), mask


def _texture(rng: np.random.Generator, size: int) -> np.ndarray:
    """A photograph crop with random brightness and colour: ``(size, size, 3)`` float32 in [0, 255]."""
    photograph = _photographs()[int(rng.integers(len(TEXTURES)))]
    top, left = (int(rng.integers(0, extent - size + 1)) for extent in photograph.shape[:2])
    crop = photograph[top : top + size, left : left + size]
    return np.asarray(np.clip(crop * rng.uniform(0.5, 1.1, 3).astype(np.float32), 0, 255))


@cache
def _photographs() -> list[np.ndarray]:
    folder = Path(skimage.__file__).parent / "data"
    photographs = []
    for name in TEXTURES:
        with Image.open(folder / name) as image:
            image.thumbnail((320, 320))
            photographs.append(np.asarray(image.convert("RGB"), dtype=np.float32))
    return photographs


@cache
def _read(folder: Path, part: str) -> tuple[np.ndarray, np.ndarray]:
    """Read the IDX files of one split; the headers of images and labels take 16 and 8 bytes."""
    pictures = np.frombuffer(
        gzip.decompress((folder / f"{part}-images-idx3-ubyte.gz").read_bytes()), np.uint8, offset=16
    )
    labels = np.frombuffer(gzip.decompress((folder / f"{part}-labels-idx1-ubyte.gz").read_bytes()), np.uint8, offset=8)
    return pictures.reshape(-1, 28, 28), labels
