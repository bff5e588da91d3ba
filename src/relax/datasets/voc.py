"""PASCAL VOC segmentation in the standard layout, read with torchvision."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

from relax._support.extras import require
from relax.datasets.base import Object, Sample
from relax.errors import InputError, first_line
from relax.modalities.image.pictures import open_picture

CLASSES = (
    *("aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow"),
    *("diningtable", "dog", "horse", "motorbike", "person", "pottedplant", "sheep", "sofa", "train", "tvmonitor"),
)
VOID = 255
"""Palette index of pixels at object borders, which count as background."""


class Voc:
    """The segmented images of the latest year in ``ROOT/VOCdevkit/VOC<year>``.

    Args:
        root: folder that holds ``VOCdevkit``.
        image_set: ``"val"``, ``"train"`` or ``"trainval"``.

    Raises:
        MissingExtraError: torchvision is not installed.
        InputError: the data set is missing or incomplete.
    """

    def __init__(self, root: str | Path, image_set: str = "val") -> None:
        datasets = require("torchvision", extra="torchvision").datasets
        years = sorted(path.name[3:] for path in (Path(root) / "VOCdevkit").glob("VOC20*") if path.is_dir())
        if not years:
            raise InputError(f"{root}: expected VOCdevkit/VOC<year> in this folder, as VOC's archives unpack")
        try:
            segmentation = datasets.VOCSegmentation(str(root), year=years[-1], image_set=image_set)
        except (OSError, RuntimeError, ValueError) as error:
            raise InputError(f"{root}: not a VOC segmentation data set: {first_line(error)}") from error
        self.name = f"voc:{root}"
        self.pictures, self.masks = segmentation.images, segmentation.masks

    def __len__(self) -> int:
        return len(self.pictures)

    def id(self, index: int) -> str:
        """File name of an image, without its extension."""
        return Path(self.pictures[index]).stem

    def __getitem__(self, index: int) -> Sample:
        picture = open_picture(self.pictures[index])
        path = self.masks[index]
        try:
            with Image.open(path) as image:
                indices = np.asarray(image)
        except (OSError, UnidentifiedImageError, SyntaxError) as error:
            raise InputError(f"{path}: cannot be read as a mask: {first_line(error)}") from error
        if indices.shape != (picture.height, picture.width):
            raise InputError(f"{path}: expected a palette image of {picture.width}x{picture.height} pixels")
        object_values = [int(value) for value in np.unique(indices) if value not in (0, VOID)]
        if not object_values or max(object_values) > len(CLASSES):
            raise InputError(f"{path}: expected palette indices 1-{len(CLASSES)} for objects, got {object_values}")
        objects = tuple(Object(CLASSES[value - 1], indices == value) for value in object_values)
        return Sample(self.id(index), picture, objects)
