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

A killed run continues where it stopped. A damaged file ends in one line that names it. Threads may share a model, a
model may be frozen, scripted or compiled, and the maps stay the same. This page shows how often each promise was tried
and how often it held. A 90 % interval should contain the converged map at 87 to 93 % of the pixels, a 95 % interval at
93 to 97 %; intervals of `relax` from few blocks of masks are wider than that.

`make reliability` makes this page ({seconds:.0f} s here, {threads} thread).

| promise | tried | held | |
|---|---|---|---|
"""

TAIL = """
A coverage run counts as held if its intervals contain the converged map at four fifths of the pixels. The note gives
the mean coverage over all runs, and the 95 % interval of this mean. The widths of the hyperparameters' prior in
`relax-regression` were chosen on these two encoders; [quality.md](quality.md) compares stated and true reliabilities on
others.
"""


def main() -> None:
    """Run the parts that were asked for, and write the page if all were."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", choices=PARTS, nargs="+", default=PARTS)
    parser.add_argument("--runs", type=int, default=100, help="seeds of each coverage line")
    parser.add_argument(
        "--like", default="", help="only coverage lines whose names begin like this, such as relax-gradient"
    )
    parser.add_argument("--threads", type=int, default=1)
    asked = parser.parse_args()
    torch.set_num_threads(asked.threads)
    began = time.perf_counter()
    lines = []
    for line in _lines(asked.only, asked.runs, asked.like):
        print(f"{line.promise}: {line.held} of {line.tried} {line.note}", flush=True)
        lines.append(line)
    if set(asked.only) == set(PARTS) and not asked.like:
        rows = "".join(f"| {line.promise} | {line.tried:,} | {line.held:,} | {line.note} |\n" for line in lines)
        head = HEAD.format(seconds=time.perf_counter() - began, threads=asked.threads)
        PAGE.write_text(head + rows + TAIL)
        print(f"-> {PAGE}")


def _lines(parts: list[str], runs: int, like: str) -> Iterator[Held]:
    if "memory" in parts:  # first, while the process is small
        yield memory()
    if "damage" in parts:
        yield from damage()
    if "threads" in parts:
        yield from threads()
    if "kills" in parts:
        yield from kills()
    if "coverage" in parts:
        yield from coverage(runs, like)


if __name__ == "__main__":
    main()
