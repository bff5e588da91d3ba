"""Seconds until a command draws its first mask and until its files are written: ``python -m benchmarks.start``.

Each run is a process of its own. ``--against FOLDER`` measures another version of the package, in turn with this one.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from skimage import data

TURNS = 7
HERE = Path(__file__).parents[1] / "src"
MARKS = ("python", "torch", "first mask", "last mask", "files written")

CODE = """
import json, os, sys, time
def age():
    started = int(open("/proc/self/stat").read().rsplit(")", 1)[1].split()[19]) / os.sysconf("SC_CLK_TCK")
    return float(open("/proc/uptime").read().split()[0]) - started
marks = {"python": age()}
import relax.cli
import torch
marks["torch"] = age()
import relax.estimation.loop, relax.explanation
turn, plot = relax.estimation.loop.Loop._turn, relax.explanation.Explanation.plot
def first(self, *arguments):
    marks.setdefault("first mask", age())
    return turn(self, *arguments)
def drawn(self, *arguments):
    marks["last mask"] = age()
    return plot(self, *arguments)
relax.estimation.loop.Loop._turn, relax.explanation.Explanation.plot = first, drawn
try:
    relax.cli.main()
except SystemExit:
    marks["files written"] = age()
    print(json.dumps(marks))
"""


def marks(source: Path, arguments: list[str]) -> dict[str, float]:
    """Seconds since the start of a process that runs ``relax explain`` from a source tree."""
    environment = {**os.environ, "PYTHONPATH": str(source)}
    command = [sys.executable, "-c", CODE, "explain", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def start(options: list[str], others: tuple[Path, ...] = (), turns: int = TURNS) -> dict[str, Any]:
    """Median and range of every mark, by source tree.

    Args:
        options: options of ``relax explain``.
        others: source folders of other versions, measured in turn with this one.
        turns: runs of each, after one that is not counted.
    """
    sources = (HERE, *others)
    with tempfile.TemporaryDirectory() as folder:
        photo = Path(folder) / "photo.jpg"
        Image.fromarray(data.chelsea()).save(photo)
        arguments = [str(photo), "--out", folder, "--overwrite", "--quiet", *options]
        runs = [[marks(source, arguments) for source in sources] for _ in range(turns + 1)][1:]
    found: dict[str, Any] = {}
    for number, source in enumerate(sources):
        for mark in MARKS:
            values = [run[number][mark] for run in runs]
            found.setdefault("this" if source == HERE else str(source), {})[mark] = (
                f"{np.median(values):.2f} ({min(values):.2f} to {max(values):.2f})"
            )
    return found


def imports(turns: int) -> list[float]:
    """Seconds of ``import relax`` in processes of their own, without the start of Python; torch is not imported."""
    code = (
        "import sys, time; began = time.perf_counter(); import relax; print(time.perf_counter() - began); "
        "sys.exit('torch' in sys.modules)"
    )
    environment = {**os.environ, "PYTHONPATH": str(HERE)}
    command = [sys.executable, "-c", code]
    runs = [subprocess.run(command, check=True, capture_output=True, env=environment) for _ in range(turns + 1)][1:]
    return [float(run.stdout) for run in runs]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--imports", action="store_true", help="time `import relax` instead")
    parser.add_argument("--against", type=Path, nargs="*", default=[], help="src folders of other versions")
    parser.add_argument("--turns", type=int, default=TURNS)
    options, passed = parser.parse_known_args()
    if options.imports:
        took = imports(options.turns)
        print(f"import relax: {np.median(took):.3f} s ({min(took):.3f} to {max(took):.3f}), {options.turns} processes")
        return
    print(
        f"medians of {options.turns} processes (least to most), seconds since the process began; {' '.join(passed)}\n"
    )
    found = start(passed, tuple(options.against), options.turns)
    print(f"| | {' | '.join(found)} |\n|---|{'---|' * len(found)}")
    for mark in MARKS:
        print(f"| {mark} | {' | '.join(times[mark] for times in found.values())} |")


if __name__ == "__main__":
    main()
