"""COCO instances in the standard layout, read with pycocotools."""

from __future__ import annotations

import contextlib
import io
from pathlib import Path

from relax._support.extras import require
from relax.datasets.base import Object, Sample
from relax.errors import InputError, first_line
from relax.modalities.image.pictures import open_picture


class Coco:
    """The annotated images of ``ROOT/annotations/instances_<split>.json`` and ``ROOT/<split>/``.

    Args:
        root: folder that holds ``annotations``.
        split: name of a split, such as ``"val2017"``; by default the first validation split found.

    Raises:
        InputError: the annotations are missing, invalid or empty.
    """

    def __init__(self, root: str | Path, split: str | None = None) -> None:
        coco = require("pycocotools.coco", extra="evaluate")
        prefix = "instances_"
        files = sorted((Path(root) / "annotations").glob(f"{prefix}{split or '*'}.json"), key=_validation_first)
        if not files:
            raise InputError(f"{root}: expected annotations/{prefix}{split or '<split>'}.json in this folder")
        try:
            with contextlib.redirect_stdout(io.StringIO()):  # pycocotools prints to stdout
                self.annotations = coco.COCO(str(files[0]))
        except (ValueError, KeyError, TypeError, AssertionError) as error:
            raise InputError(f"{files[0]}: not a COCO annotation file: {first_line(error)}") from error
        self.name = f"coco:{root}"
        self.pictures = Path(root) / files[0].stem.removeprefix(prefix)
        self.ids = sorted({item["image_id"] for item in self.annotations.dataset.get("annotations", [])})
        if not self.ids:
            raise InputError(f"{files[0]}: expected annotations, got none")
        self.categories = {c["id"]: c["name"] for c in self.annotations.loadCats(self.annotations.getCatIds())}

    def __len__(self) -> int:
        return len(self.ids)

    def id(self, index: int) -> str:
        """File name of an image."""
        return str(self.annotations.loadImgs([self.ids[index]])[0]["file_name"])

    def __getitem__(self, index: int) -> Sample:
        path = self.pictures / self.id(index)
        picture = open_picture(path)
        annotations = self.annotations.loadAnns(self.annotations.getAnnIds([self.ids[index]]))
        objects = []
        for item in annotations:
            mask = self.annotations.annToMask(item).astype(bool)
            if mask.shape != (picture.height, picture.width):
                expected, got = f"{picture.width}x{picture.height}", f"{mask.shape[1]}x{mask.shape[0]}"
                raise InputError(f"{path}: expected annotations for {expected} pixels, like its picture, got {got}")
            if mask.any():
                objects.append(Object(self.categories[item["category_id"]], mask))
        if not objects:
            raise InputError(f"{path}: expected at least one annotated object, got none")
        return Sample(self.id(index), picture, tuple(objects))


def _validation_first(path: Path) -> tuple[bool, str]:
    """Sort key that puts validation splits first."""
    return ("val" not in path.stem, path.stem)
