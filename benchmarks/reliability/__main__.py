"""``make reliability``: every promise tried, and docs/reliability.md written from what came of it."""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from pathlib import Path

import torch

from benchmarks.reliability.coverage import coverage
from benchmarks.reliability.damage import damage
from benchmarks.reliability.held import Held
from benchmarks.reliability.processes import kills, memory, threads

PARTS = ("coverage", "damage", "threads", "kills", "memory")
PAGE = Path(__file__).parents[2] / "docs" / "reliability.md"

HEAD = """# What holds

You can kill a run, hand over a damaged file, share a model between threads or give a model in an odd form: a run goes
on where it was, a damaged file is named in one line, and maps are what one thread makes of them. This page says how
often each was tried and how often it held. Intervals are another promise: a 95 % interval should hold the converged
map at 93 to 97 % of the pixels; wider ones, from few blocks of masks, are conservative.

`make reliability` makes this page ({seconds:.0f} s here, {threads} thread).

| promise | tried | held | |
|---|---|---|---|
"""

TAIL = """
A run of a coverage line counts as held if its intervals hold the converged map at four fifths of the pixels; the share
over all runs, with its 95 % interval, stands beside it. `relax-gradient` does not hold its level with few masks: read
its effect, or use another method. Reliability is optimistic where there are few masks.
"""


def main() -> None:
    """Run the parts that were asked for, and write the page if all were."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", choices=PARTS, nargs="+", default=PARTS)
    parser.add_argument("--runs", type=int, default=100, help="seeds of each coverage line")
    parser.add_argument("--threads", type=int, default=1)
    asked = parser.parse_args()
    torch.set_num_threads(asked.threads)
    began = time.perf_counter()
    lines = []
    for line in _lines(asked.only, asked.runs):
        print(f"{line.promise}: {line.held} of {line.tried} {line.note}", flush=True)
        lines.append(line)
    if set(asked.only) == set(PARTS):
        rows = "".join(f"| {line.promise} | {line.tried:,} | {line.held:,} | {line.note} |\n" for line in lines)
        head = HEAD.format(seconds=time.perf_counter() - began, threads=asked.threads)
        PAGE.write_text(head + rows + TAIL)
        print(f"-> {PAGE}")


def _lines(parts: list[str], runs: int) -> Iterator[Held]:
    if "memory" in parts:  # first, while the process is small
        yield memory()
    if "damage" in parts:
        yield from damage()
    if "threads" in parts:
        yield from threads()
    if "kills" in parts:
        yield from kills()
    if "coverage" in parts:
        yield from coverage(runs)


if __name__ == "__main__":
    main()
