"""Scenes with known objects: Tux Paint stamps pasted on real photographs.

Every scene has exact masks and categories, and is determined by its index and the seed. The ``development`` and
``held-out`` halves share neither stamps nor photographs.
"""

from __future__ import annotations

import warnings
from functools import cache
from pathlib import Path

import numpy as np
import skimage
from PIL import Image

from relax._support.extras import require
from relax.datasets.base import Object, Sample
from relax.datasets.cache import STAMPS, find
from relax.errors import ArgumentError

NOT_PHOTOGRAPHS = {"cartoon", "symbols"}
PHOTOGRAPHS = ("coffee.png", "rocket.jpg", "grass.png", "gravel.png", "brick.png")
SPLITS = ("all", "development", "held-out")
OPAQUE = 128
"""Smallest alpha value (0-255) of a pixel of the object."""

MIN_PIXELS = 64
"""Smallest shorter side in pixels of a stamp that is used."""


class Stamps:
    """Scenes of one stamp, or of several that do not overlap.

    Args:
        several: paste two or three objects of different categories instead of one.
        n: number of scenes.
        size: side of a scene in pixels.
        seed: random seed of the scenes.
        split: ``"all"``, ``"development"`` or ``"held-out"``.

    Raises:
        ArgumentError: there is no such split.
        InputError: the stamps are missing; the message says how to get them.
        MissingExtraError: scikit-learn, which has some of the photographs, is not installed.
    """

    def __init__(
        self, several: bool = False, n: int = 1000, size: int = 224, seed: int = 0, split: str = "all"
    ) -> None:
        if split not in SPLITS:
            raise ArgumentError(f"expected the split of the stamps to be one of {', '.join(SPLITS)}, got {split!r}")
        self.several, self.n, self.size, self.seed, self.split = several, n, size, seed, split
        parts = ["stamps", *(["several"] if several else []), *([split] if split != "all" else [])]
        self.name = ":".join(parts)
        self.stamps = [path for path in cutouts(find(STAMPS)) if split in ("all", _half(path.stem))]
        self.photographs = [path for path in _photographs() if split in ("all", _half(path.stem))]

    def __len__(self) -> int:
        return self.n

    def id(self, index: int) -> str:
        """Name of a scene, without composing it."""
        return f"{self.name}-{self.seed}-{index:04d}"

    def __getitem__(self, index: int) -> Sample:
        if not 0 <= index < self.n:
            raise IndexError(index)
        rng = np.random.default_rng([self.seed, index, self.several, SPLITS.index(self.split)])
        scene = self._background(rng)
        objects: list[Object] = []
        n_objects = int(rng.integers(2, 4)) if self.several else 1
        low, high = (0.25, 0.4) if self.several else (0.35, 0.6)
        occupied = np.zeros((self.size, self.size), dtype=bool)
        while len(objects) < n_objects:
            path = self.stamps[int(rng.integers(len(self.stamps)))]
            category = category_of(path)
            stamp = _fit(_open_stamp(path), round(self.size * rng.uniform(low, high)), mirrored=bool(rng.integers(2)))
            left, top = (int(rng.integers(0, self.size - side + 1)) for side in stamp.size)
            mask = np.zeros((self.size, self.size), dtype=bool)
            mask[top : top + stamp.height, left : left + stamp.width] = np.asarray(stamp.getchannel("A")) >= OPAQUE
            if category in {item.category for item in objects} or (mask & occupied).any() or mask.sum() < 50:
                continue
            scene.paste(stamp, (left, top), stamp)
            occupied |= mask
            objects.append(Object(category, mask))
        return Sample(self.id(index), scene, tuple(objects))

    def _background(self, rng: np.random.Generator) -> Image.Image:
        photograph = _photograph(self.photographs[int(rng.integers(len(self.photographs)))])
        side = int(min(photograph.size) * rng.uniform(0.5, 1.0))
        left, top = (int(rng.integers(0, extent - side + 1)) for extent in photograph.size)
        return photograph.crop((left, top, left + side, top + side)).resize(
            (self.size, self.size), Image.Resampling.LANCZOS
        )


def cutouts(folder: Path) -> list[Path]:
    """Paths of the photographic stamps that have an alpha channel and are large enough.

    Args:
        folder: folder of Tux Paint's stamps.
    """
    paths = []
    for path in sorted(folder.glob("**/*.png")):
        if NOT_PHOTOGRAPHS.isdisjoint(path.relative_to(folder).parts) and _has_alpha(path):
            paths.append(path)
    return paths


def category_of(path: Path) -> str:
    """Category of a stamp by its folder: ``stamps/animals/mammals/cats/cat.png`` is in ``mammals``."""
    parts = path.parts[path.parts.index("stamps") + 1 : -1]
    return parts[min(1, len(parts) - 1)]


@cache
def _has_alpha(path: Path) -> bool:
    with Image.open(path) as image:
        return (image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info) and min(image.size) >= MIN_PIXELS


def _open_stamp(path: Path) -> Image.Image:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        with Image.open(path) as image:
            image.thumbnail((1024, 1024))
            return image.convert("RGBA")


def _fit(stamp: Image.Image, side: int, mirrored: bool) -> Image.Image:
    """Crop the empty margins of a stamp and scale its longer side to ``side`` pixels."""
    stamp = stamp.crop(stamp.getchannel("A").getbbox())
    scale = side / max(stamp.size)
    width, height = (max(1, round(extent * scale)) for extent in stamp.size)
    stamp = stamp.resize((width, height), Image.Resampling.LANCZOS)
    return stamp.transpose(Image.Transpose.FLIP_LEFT_RIGHT) if mirrored else stamp


def _photographs() -> list[Path]:
    from_sklearn = Path(str(require("sklearn", extra="evaluate").__file__)).parent / "datasets" / "images"
    folder = Path(skimage.__file__).parent / "data"
    return [from_sklearn / "china.jpg", from_sklearn / "flower.jpg", *(folder / name for name in PHOTOGRAPHS)]


@cache
def _photograph(path: Path) -> Image.Image:
    with Image.open(path) as image:
        return image.convert("RGB")


def _half(name: str) -> str:
    """Half that a file belongs to, by a checksum of its name."""
    return SPLITS[1 + sum(name.encode()) % 2]
