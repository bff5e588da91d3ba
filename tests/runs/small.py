"""A run that tests start in another process, to kill it: ``python small.py SOURCE OUT [before|after]``.

With a last word it kills itself when it renames its second shard, just before that or just after.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import torch

import relax
from relax.runs import running


class Crashing:
    """A transform whose decoder takes the whole process with it when a picture is one pixel high."""

    def __init__(self) -> None:
        self.inner = relax.ImageTransform(size=(28, 28))

    def settings(self):
        return {"name": "crashing"}

    def __call__(self, picture):
        if picture.height == 1:
            os.kill(os.getpid(), signal.SIGSEGV)
        return self.inner(picture)


class Mean(torch.nn.Module):
    """The mean colour of the four quarters of a picture."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.nn.functional.adaptive_avg_pool2d(x, 2).flatten(1) + 2.0


def encoder() -> relax.Encoder:
    """The encoder of these runs."""
    return relax.Encoder(Mean(), Crashing(), name="mean")


def run(source: str | Path, out: str | Path, **arguments) -> running.Ran:
    """A run of 256 masks."""
    options = {"method": "relax", "n_masks": 256, "precision": "float32", "batch_size": 16, **arguments}
    return relax.run(source, out, options.pop("encoder", None) or encoder(), **options)


def killed_at_a_rename(when: str, number: int = 2) -> None:
    """Have this process kill itself before or after it renames a shard."""
    rename, seen = Path.replace, []

    def replace(path: Path, target: Path) -> Path:
        seen.extend([target] if Path(target).suffix == ".parquet" else [])
        if len(seen) == number and when == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        result = rename(path, target)
        if len(seen) == number:
            os.kill(os.getpid(), signal.SIGKILL)
        return result

    Path.replace = replace


if __name__ == "__main__":
    torch.set_num_threads(1)
    running.SHARD = 2
    if len(sys.argv) > 3:
        killed_at_a_rename(sys.argv[3])
    run(sys.argv[1], sys.argv[2])
