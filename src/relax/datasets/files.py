"""A user's own pictures: a folder, with masks in a parallel folder or without."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from relax.datasets.base import Object, Sample
from relax.errors import InputError
from relax.modalities.image.pictures import SUFFIXES, files_in, open_picture

MASKS = "masks"
IMAGES = "images"


class Folder:
    """Pictures in ``ROOT`` or ``ROOT/images``; masks, if there are any, of the same names in ``ROOT/masks``.

    A mask is a picture of the same size; what is not black is the object; a picture without one has no objects.
    Folders below the pictures' folder are categories.
    """

    def __init__(self, root: str | Path) -> None:
        root = Path(root)
        if not root.is_dir():
            raise InputError(f"{root}: no such folder")
        home = root / IMAGES if (root / IMAGES).is_dir() else root
        below = sorted(path for path in home.iterdir() if path.is_dir() and path != root / MASKS)
        self.name = f"folder:{root.resolve()}"
        self.home, self.masks = home, root / MASKS
        self.paths = files_in(home) + [path for folder in below for path in files_in(folder)]
        if not self.paths:
            raise InputError(f"{home}: no pictures in this folder")

    def __len__(self) -> int:
        return len(self.paths)

    def id(self, index: int) -> str:
        return self.paths[index].relative_to(self.home).as_posix()

    def stamp(self, index: int) -> str:
        """Sizes and times of change of a sample's files: rows of a picture that was replaced are done again."""
        path = self.paths[index]
        files = [file.stat() for file in (path, self._mask_of(path)) if file is not None and file.exists()]
        return " ".join(f"{about.st_size}:{about.st_mtime_ns}" for about in files)

    def _mask_of(self, path: Path) -> Path | None:
        place = self.masks / path.relative_to(self.home)
        masks = (place.with_suffix(suffix) for suffix in sorted(SUFFIXES))
        return next((mask for mask in masks if mask.is_file()), None)

    def __getitem__(self, index: int) -> Sample:
        path = self.paths[index]
        picture, masked = open_picture(path), self._mask_of(path)
        if masked is None:
            return Sample(self.id(index), picture)
        mask = np.asarray(open_picture(masked)).any(2)
        if mask.shape != (picture.height, picture.width):
            wanted, got = f"{picture.width}x{picture.height}", f"{mask.shape[1]}x{mask.shape[0]}"
            raise InputError(f"{masked}: expected a mask of {wanted} pixels, like its picture, got {got}")
        if not mask.any():
            raise InputError(f"{masked}: the mask is empty")
        return Sample(self.id(index), picture, (Object(path.parent.name if path.parent != self.home else "", mask),))
