"""Compare, and write docs/quality.md: ``make quality``; a run that was cut off goes on.

The sizes without options are for some four hours of one core; ``--scale`` multiplies them.
"""

from __future__ import annotations

import argparse
import sys
import warnings

import torch

import relax
from benchmarks.quality.errors import measure
from benchmarks.quality.page import write_page
from benchmarks.quality.runs import RUNS, SCENES, SIZES, carry_out, runs
from benchmarks.quality.variants import register
from relax.cli.messages import say


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--scale", type=float, default=1.0, help="multiplies the numbers of scenes")
    parser.add_argument("--only", nargs="+", default=[""], help="only runs whose names begin so, or errors")
    parser.add_argument("--error-scenes", type=int, help="scenes of the errors; two, times the scale, by default")
    parser.add_argument("--errors-on", nargs="+", choices=SIZES, help="encoders of the errors; all by default")
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    relax.keep_memory()
    warnings.simplefilter("ignore", relax.RelaxWarning)
    register()
    chosen = [run for run in runs(given.scale) if run.name.startswith(tuple(given.only))]
    found = {run.name: (run, carry_out(run, given.threads)) for run in chosen}
    every = "errors".startswith(tuple(given.only))
    encoders = given.errors_on or [
        encoder for encoder in SIZES if every or any(run.encoder == encoder for run in chosen)
    ]
    n = given.error_scenes or max(1, round(2 * given.scale))
    errors = {encoder: measure(encoder, SCENES["several"], n, RUNS / "errors") for encoder in encoders}
    if given.only == [""]:
        write_page(found, errors, " ".join(sys.argv[1:]))
    else:
        say("docs/quality.md is written by a run without --only")


if __name__ == "__main__":
    main()
