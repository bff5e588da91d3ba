"""COCO instances in their standard layout, read by pycocotools."""

from __future__ import annotations

import contextlib
import io
from pathlib import Path

from relax._support.extras import require
from relax.datasets.base import Object, Sample
from relax.errors import InputError
from relax.modalities.image.pictures import open_picture


class Coco:
    """Pictures that have annotations: ``ROOT/annotations/instances_<split>.json`` and ``ROOT/<split>/``.

    Args:
        root: the folder that holds ``annotations``.
        split: such as ``"val2017"``; by default the first validation split that is there.
    """

    def __init__(self, root: str | Path, split: str | None = None) -> None:
        coco = require("pycocotools.coco", extra="evaluate")
        prefix = "instances_"
        files = sorted((Path(root) / "annotations").glob(f"{prefix}{split or '*'}.json"), key=_validation_first)
        if not files:
            raise InputError(f"{root}: expected annotations/{prefix}{split or '<split>'}.json in this folder")
        try:
            with contextlib.redirect_stdout(io.StringIO()):  # it reports its progress there
                self.annotations = coco.COCO(str(files[0]))
        except (ValueError, KeyError, TypeError, AssertionError) as error:
            raise InputError(f"{files[0]}: not a COCO annotation file: {error}") from error
        self.name = f"coco:{root}"
        self.pictures = Path(root) / files[0].stem.removeprefix(prefix)
        self.ids = sorted({item["image_id"] for item in self.annotations.dataset.get("annotations", [])})
        if not self.ids:
            raise InputError(f"{files[0]}: has no annotations")
        self.categories = {c["id"]: c["name"] for c in self.annotations.loadCats(self.annotations.getCatIds())}

    def __len__(self) -> int:
        return len(self.ids)

    def id(self, index: int) -> str:
        return str(self.annotations.loadImgs([self.ids[index]])[0]["file_name"])

    def __getitem__(self, index: int) -> Sample:
        path = self.pictures / self.id(index)
        picture = open_picture(path)
        found = self.annotations.loadAnns(self.annotations.getAnnIds([self.ids[index]]))
        objects = []
        for item in found:
            mask = self.annotations.annToMask(item).astype(bool)
            if mask.shape != (picture.height, picture.width):
                raise InputError(f"{path}: its annotations are for {mask.shape[1]}x{mask.shape[0]} pixels")
            if mask.any():
                objects.append(Object(self.categories[item["category_id"]], mask))
        if not objects:
            raise InputError(f"{path}: has no annotated object")
        return Sample(self.id(index), picture, tuple(objects))


def _validation_first(path: Path) -> tuple[bool, str]:
    return ("val" not in path.stem, path.stem)
