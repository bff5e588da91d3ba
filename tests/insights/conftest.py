"""Pictures of which the first have a white corner, and stores of an encoder that sees it and of one that does not."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image
from tests.insights.planted import MARKED, Corner, Middle, N, encoder

import relax


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Pictures of which the first have a white corner, and stores of two encoders."""
    folder = tmp_path_factory.mktemp("insight")
    (folder / "in").mkdir()
    for number in range(N):
        rng = np.random.default_rng(number)
        pixels = rng.integers(0, 150, (28, 28, 3), dtype=np.uint8)
        pixels[8:20, 8:20] = rng.integers(40, 255, 3)
        if number < MARKED:
            pixels[-7:, -7:] = 255
        Image.fromarray(pixels).save(folder / "in" / f"{number:02d}.png")
    (folder / "in" / "broken.png").write_bytes(b"no picture")
    for model in (Corner(), Middle()):
        relax.run(
            folder / "in",
            folder / type(model).__name__,
            encoder(model),
            method="relax",
            n_masks=256,
            batch_size=64,
            precision="float32",
        )
    return folder


@pytest.fixture(scope="module")
def found(folder):
    return relax.insight(folder / "Corner", folder / "Middle")
