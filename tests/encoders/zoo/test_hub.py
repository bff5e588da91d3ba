"""Without a network, a model of a hub is one line, and the hub library is left as it was."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from contextlib import suppress

import numpy as np
import pytest
from PIL import Image

from relax.encoders.zoo.hub import without_notes

pytest.importorskip("huggingface_hub")

CODE = """
import sys, time
time.sleep = lambda seconds: None  # the library waits for longer after every try
from relax.cli import main
sys.argv = ["relax", *sys.argv[1:]]
main()
"""


@pytest.mark.parametrize(
    ("encoder", "package", "words"),
    [
        ("timm:resnet18", "timm", "the weights of timm:resnet18 cannot be downloaded"),
        ("hf:nobody/nothing", "transformers", "hf:nobody/nothing cannot be loaded"),
    ],
)
def test_no_network_is_one_line(tmp_path, encoder, package, words):
    pytest.importorskip(package)
    Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(tmp_path / "a.png")
    known = {name: value for name, value in os.environ.items() if not name.startswith(("HF_", "TRANSFORMERS_"))}
    environment = known | {"HF_ENDPOINT": "http://127.0.0.1:9", "HF_HOME": str(tmp_path / "hub")}
    command = [sys.executable, "-c", CODE, "explain", "a.png", "--encoder", encoder]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path, env=environment)
    assert done.returncode == 2
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"relax: error: {words}")


@pytest.mark.parametrize(
    ("level", "inside"),
    [(logging.WARNING, logging.ERROR), (logging.INFO, logging.INFO), (logging.ERROR, logging.ERROR)],
)
def test_the_library_is_left_as_it_was(level, inside):
    logger = logging.getLogger("huggingface_hub")
    before = logger.level
    try:
        logger.setLevel(level)
        with suppress(KeyError), without_notes():
            seen = logger.level
            raise KeyError
        assert seen == inside
        assert logger.level == level
    finally:
        logger.setLevel(before)
