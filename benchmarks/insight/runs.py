"""Stores of the benchmark: 120 pictures, a quarter of them with the artefact, explained for each encoder."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

import relax
from benchmarks.insight.artefacts import ARTEFACTS
from benchmarks.insight.encoders import FOLDER, Kind, encoder, scenes

PICTURES = 120
"""Pictures that a store holds."""

PLANTED = 4
"""One of so many pictures has the artefact, whatever its class."""

MASKS = 64


def pictures(artefact: str) -> Path:
    """The folder of the pictures; the names of those with the artefact begin with ``planted``."""
    folder = FOLDER / "pictures" / artefact
    if len(list(folder.glob("*.png"))) != PICTURES:
        folder.mkdir(parents=True, exist_ok=True)
        draw = np.random.default_rng(3)
        for number, picture in enumerate(scenes("test", PICTURES)[0]):
            planted = number % PLANTED == 0
            pixels = ARTEFACTS[artefact](picture, draw) if planted else picture
            Image.fromarray(pixels).save(folder / f"{'planted' if planted else 'plain'}-{number:03d}.png")
    return folder


def store(kind: Kind) -> Path:
    """The store of an encoder; a run that was cut off goes on."""
    folder = FOLDER / "stores" / kind.name
    if not (folder / "summary.json").exists():
        relax.run(pictures(kind.artefact), folder, encoder(kind), n_masks=MASKS, precision="float32", device="cpu")
    return folder
