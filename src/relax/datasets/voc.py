"""PASCAL VOC segmentation in its standard layout, read by torchvision."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

from relax._support.extras import require
from relax.datasets.base import Object, Sample
from relax.errors import InputError
from relax.modalities.image.pictures import open_picture

CLASSES = (
    *("aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow"),
    *("diningtable", "dog", "horse", "motorbike", "person", "pottedplant", "sheep", "sofa", "train", "tvmonitor"),
)
VOID = 255
"""Colour index of pixels at the borders of objects, which count as background."""


class Voc:
    """Segmented pictures below ``ROOT/VOCdevkit/VOC<year>``.

    Args:
        root: the folder that holds ``VOCdevkit``.
        image_set: ``"val"``, ``"train"`` or ``"trainval"``.
    """

    def __init__(self, root: str | Path, image_set: str = "val") -> None:
        folder = require("torchvision", extra="torchvision").datasets
        years = sorted(path.name[3:] for path in (Path(root) / "VOCdevkit").glob("VOC20*") if path.is_dir())
        if not years:
            raise InputError(f"{root}: expected VOCdevkit/VOC<year> in this folder, as VOC's archives unpack")
        try:
            found = folder.VOCSegmentation(str(root), year=years[-1], image_set=image_set)
        except (OSError, RuntimeError, ValueError) as error:
            raise InputError(f"{root}: not a VOC segmentation data set: {error}") from error
        self.name = f"voc:{root}"
        self.pictures, self.masks = found.images, found.masks

    def __len__(self) -> int:
        return len(self.pictures)

    def id(self, index: int) -> str:
        return Path(self.pictures[index]).stem

    def __getitem__(self, index: int) -> Sample:
        picture = open_picture(self.pictures[index])
        path = self.masks[index]
        try:
            with Image.open(path) as image:
                indices = np.asarray(image)
        except (OSError, UnidentifiedImageError, SyntaxError) as error:
            raise InputError(f"{path}: cannot be read as a mask: {error}") from error
        if indices.shape != (picture.height, picture.width):
            raise InputError(f"{path}: expected a palette picture of {picture.width}x{picture.height} pixels")
        there = [int(value) for value in np.unique(indices) if value not in (0, VOID)]
        if not there or max(there) > len(CLASSES):
            raise InputError(f"{path}: expected colour indices 1-{len(CLASSES)} for objects, got {there}")
        return Sample(self.id(index), picture, tuple(Object(CLASSES[v - 1], indices == v) for v in there))
