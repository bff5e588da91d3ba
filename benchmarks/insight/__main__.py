"""Train, run, and write docs/insight.md: ``make insight``; a run that was cut off goes on."""

from __future__ import annotations

import argparse
import sys
import time
import warnings

import torch

import relax
from benchmarks.insight.encoders import SEEDS, kinds
from benchmarks.insight.runs import store


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seeds", type=int, default=len(SEEDS), help="encoders of each kind")
    parser.add_argument(
        "--only", choices=("stores", "page"), help="stop before the page, or write it from what there is"
    )
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    relax.keep_memory()
    warnings.simplefilter("ignore", relax.RelaxWarning)
    wanted = kinds(SEEDS[: options.seeds])
    for number, kind in enumerate(wanted if options.only != "page" else []):
        began = time.monotonic()
        store(kind)
        print(f"{number + 1}/{len(wanted)} {kind.name}: {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)
    if options.only != "stores":
        from benchmarks.insight.page import FOLDER, write_page
        from benchmarks.insight.pictures import plot
        from benchmarks.insight.scores import table

        rows = table(wanted)
        reported, calibration = rows[rows["seed"] != SEEDS[0]], rows[rows["seed"] == SEEDS[0]]
        plot(reported, FOLDER, SEEDS[1])
        write_page(reported, calibration)


if __name__ == "__main__":
    main()
