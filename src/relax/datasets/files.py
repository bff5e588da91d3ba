"""A folder of images, with optional masks in a parallel folder."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from relax.datasets.base import Object, Sample
from relax.errors import InputError
from relax.modalities.image.pictures import SUFFIXES, files_in, open_picture

MASKS = "masks"
IMAGES = "images"


class Folder:
    """Images in ``ROOT`` or ``ROOT/images``, with optional masks of the same names in ``ROOT/masks``.

    A mask is an image of the same size that is black outside the object. An image without a mask has no objects.
    Subfolders of the image folder are categories.

    Args:
        root: the folder.

    Raises:
        InputError: the folder does not exist or holds no images.
    """

    def __init__(self, root: str | Path) -> None:
        root = Path(root)
        if not root.is_dir():
            raise InputError(f"{root}: no such folder")
        home = root / IMAGES if (root / IMAGES).is_dir() else root
        subfolders = sorted(path for path in home.iterdir() if path.is_dir() and path != root / MASKS)
        self.name = f"folder:{root.resolve()}"
        self.home, self.masks = home, root / MASKS
        self.paths = files_in(home) + [path for folder in subfolders for path in files_in(folder)]
        if not self.paths:
            raise InputError(f"{home}: expected pictures in this folder, got none")

    def __len__(self) -> int:
        return len(self.paths)

    def id(self, index: int) -> str:
        """Path of an image relative to the image folder."""
        return self.paths[index].relative_to(self.home).as_posix()

    def stamp(self, index: int) -> str:
        """Sizes and modification times of the sample's files, which tell whether saved results are up to date."""
        path = self.paths[index]
        stats = [file.stat() for file in (path, self._mask_of(path)) if file is not None and file.exists()]
        return " ".join(f"{stat.st_size}:{stat.st_mtime_ns}" for stat in stats)

    def _mask_of(self, path: Path) -> Path | None:
        """The mask of an image in any supported format; ``None`` if it has none."""
        stem = self.masks / path.relative_to(self.home)
        candidates = (stem.with_suffix(suffix) for suffix in sorted(SUFFIXES))
        return next((mask for mask in candidates if mask.is_file()), None)

    def __getitem__(self, index: int) -> Sample:
        path = self.paths[index]
        picture, mask_path = open_picture(path), self._mask_of(path)
        if mask_path is None:
            return Sample(self.id(index), picture)
        mask = np.asarray(open_picture(mask_path)).any(2)
        if mask.shape != (picture.height, picture.width):
            expected, got = f"{picture.width}x{picture.height}", f"{mask.shape[1]}x{mask.shape[0]}"
            raise InputError(f"{mask_path}: expected a mask of {expected} pixels, like its picture, got {got}")
        if not mask.any():
            raise InputError(f"{mask_path}: the mask is empty")
        return Sample(self.id(index), picture, (Object(path.parent.name if path.parent != self.home else "", mask),))
