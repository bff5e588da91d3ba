"""Measure what is not measured yet, and write docs/study.md: ``make study``."""

from __future__ import annotations

import argparse
import warnings

import relax
from benchmarks.study.runs import agreement, carry_out, runs


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--scale", type=float, default=1.0, help="multiplies the numbers of inputs")
    parser.add_argument("--part", action="append", help="only these parts (repeatable); no page is written")
    parser.add_argument("--encoder", help="only runs that have it; with --part")
    options = parser.parse_args()
    relax.keep_memory()
    warnings.simplefilter("ignore", relax.RelaxWarning)
    found = {}
    for run in runs(options.scale):
        wanted = options.part is None or run.part in options.part
        if wanted and (options.encoder is None or options.encoder in run.encoders):
            found[run.name] = (run, carry_out(run, options.threads))
    if options.part is None or "agreement" in options.part:
        pairs = agreement(max(2, round(40 * options.scale)), options.threads)
    if options.part is None:
        from benchmarks.study.page import write_page

        write_page(found, pairs)


if __name__ == "__main__":
    main()
