"""Compare, and write docs/quality.md: ``make quality``; a run that was cut off goes on.

The sizes without options are for some two hours of two cores; ``--scale`` multiplies them. Parts of the work run side
by side in processes of one thread, which takes less time than one process of several threads.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import warnings
from concurrent.futures import ThreadPoolExecutor

import torch

import relax
from benchmarks.quality.errors import measure
from benchmarks.quality.page import write_page
from benchmarks.quality.runs import RUNS, SCENES, SIZES, carry_out, runs
from benchmarks.quality.variants import register
from relax.cli.messages import say


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1, help="parts that run side by side")
    parser.add_argument("--scale", type=float, default=1.0, help="multiplies the numbers of scenes")
    parser.add_argument("--only", nargs="+", default=[""], help="only runs whose names begin so, or errors")
    parser.add_argument("--error-scenes", type=int, help="scenes of the errors; two, times the scale, by default")
    parser.add_argument("--errors-on", nargs="+", choices=SIZES, help="encoders of the errors; all by default")
    given = parser.parse_args()
    if given.only == [""] and given.processes > 1:
        in_parts(given.processes, given.scale, sys.argv[1:])
    torch.set_num_threads(1)
    relax.keep_memory()
    warnings.simplefilter("ignore", relax.RelaxWarning)
    register()
    chosen = [run for run in runs(given.scale) if run.name.startswith(tuple(given.only))]
    found = {run.name: (run, carry_out(run)) for run in chosen}
    encoders = (given.errors_on or list(SIZES)) if "errors".startswith(tuple(given.only)) else []
    n = given.error_scenes or max(1, round(2 * given.scale))
    errors = {encoder: measure(encoder, SCENES["several"], n, RUNS / "errors") for encoder in encoders}
    if given.only == [""]:
        write_page(found, errors, " ".join(sys.argv[1:]))
    else:
        say("docs/quality.md is written by a run without --only")


def in_parts(processes: int, scale: float, arguments: list[str]) -> None:
    """Do each run and the errors of each encoder in a process of its own, so many at a time."""
    parts = [[run.name] for run in runs(scale)] + [["errors", "--errors-on", encoder] for encoder in SIZES]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}

    def do(part: list[str]) -> None:
        command = [sys.executable, "-m", "benchmarks.quality", *arguments, "--only", *part]
        subprocess.run(command, check=True, env=environment)

    with ThreadPoolExecutor(processes) as pool:
        list(pool.map(do, parts))


if __name__ == "__main__":
    main()
