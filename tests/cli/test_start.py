"""What a command imports before its first mask: no more than it needs."""

from __future__ import annotations

import subprocess
import sys

import pytest

LATER = (
    "matplotlib.figure",
    "scipy.optimize",
    "scipy.stats",
    "skimage.segmentation",
    "skimage.transform",
    "onnxruntime",
    "openvino",
    "pandas",
    "captum",
    "torchvision",
)
"""Modules for which the first mask does not wait."""

CODE = """
import sys
import numpy as np
from PIL import Image
from typer.testing import CliRunner

import relax.cli
import relax.estimation.loop as loop

def first(self, *arguments):
    print("imported:", *(name for name in sys.argv[1:] if name in sys.modules))
    raise SystemExit

loop.Loop._turn = first
Image.fromarray(np.zeros((30, 30, 3), np.uint8) + np.arange(30, dtype=np.uint8)[:, None, None]).save("photo.png")
sys.exit(CliRunner().invoke(relax.cli.app, ["explain", "photo.png", "--quiet", "--method", "METHOD"]).output)
"""


@pytest.mark.parametrize("method", ["relax", "relax-regression"])
def test_the_first_mask_waits_for_nothing_that_is_needed_later(method, tmp_path):
    command = [sys.executable, "-c", CODE.replace("METHOD", method), *LATER]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.stderr.strip() == "imported:"
