"""Data sets with ground-truth masks; ``relax list datasets`` lists their names."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from relax._support.registry import Registry
from relax.datasets.base import Dataset, Object, Sample, chosen
from relax.datasets.cache import PACKAGES, fetch
from relax.datasets.coco import Coco
from relax.datasets.fashion import FashionScenes, fashion_mnist
from relax.datasets.files import Folder
from relax.datasets.planted import Planted, TextSample
from relax.datasets.stamps import Stamps
from relax.datasets.voc import Voc
from relax.errors import ArgumentError


@dataclass(frozen=True)
class Source:
    """A kind of data set.

    Attributes:
        summary: one line for ``relax list datasets``.
        open: maps the part of the name after the colon, and the seed, to a data set.
    """

    summary: str
    open: Callable[[str, int], Dataset]


def _stamps(rest: str, seed: int) -> Dataset:
    words = [word for word in rest.split(":") if word]
    several, split = "several" in words, [word for word in words if word != "several"]
    if len(split) > 1:
        raise ArgumentError(
            f"expected stamps or stamps:several, optionally with :development or :held-out, got 'stamps:{rest}'"
        )
    return Stamps(several=several, seed=seed, split=split[0] if split else "all")


DATASETS: Registry[Source] = Registry("data set")
DATASETS.add(
    "stamps",
    Source("one cut-out on a photograph, 224 px, exact masks (relax data stamps); :development, :held-out", _stamps),
)
DATASETS.add("stamps:several", Source("two or three cut-outs on a photograph", _stamps))
DATASETS.add(
    "fashion-scenes",
    Source(
        "a garment of Fashion-MNIST on a photograph, 64 px, exact masks (relax data fashion-mnist); :train",
        lambda rest, seed: FashionScenes(rest or "test", seed),
    ),
)
DATASETS.add(
    "planted",
    Source(
        "texts with a planted sentence that answers a query (relax data python-docs wordnet)",
        lambda rest, seed: Planted(seed),
    ),
)
DATASETS.add("voc:ROOT", Source("VOC segmentation: ROOT/VOCdevkit/VOC<year> (extra: torchvision)", lambda r, _: Voc(r)))
DATASETS.add(
    "coco:ROOT", Source("COCO instances: ROOT/annotations, ROOT/<split> (extra: evaluate)", lambda r, _: Coco(r))
)
DATASETS.add(
    "folder:ROOT", Source("images in ROOT or ROOT/images; optional masks in ROOT/masks", lambda r, _: Folder(r))
)


def open_dataset(name: str, seed: int = 0) -> Dataset:
    """Open a data set by name.

    Args:
        name: a name from ``relax list datasets``.
        seed: random seed of data sets that consist of random scenes.

    Raises:
        UnknownNameError: no data set has this name; the message lists the available ones.
        ArgumentError: the part after the colon is invalid.
        InputError: the files are missing, or not in the expected layout.
    """
    prefix, _, rest = name.partition(":")
    needs_root = next((registered for registered in DATASETS if rest and registered == f"{prefix}:ROOT"), None)
    key = needs_root or (prefix if prefix in ("stamps", "fashion-scenes") else name)
    return DATASETS[key].open(rest, seed)


__all__ = [
    "DATASETS",
    "PACKAGES",
    "Coco",
    "Dataset",
    "FashionScenes",
    "Folder",
    "Object",
    "Planted",
    "Sample",
    "Stamps",
    "TextSample",
    "Voc",
    "chosen",
    "fashion_mnist",
    "fetch",
    "open_dataset",
]
