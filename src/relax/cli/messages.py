"""What goes to stdout, what to stderr, and the exit codes."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import IntEnum


class Exit(IntEnum):
    """Exit codes."""

    OK = 0
    SOME_FAILED = 1
    BAD_INPUT = 2
    INTERRUPTED = 130


def known(value: float, digits: int = 6) -> float | None:
    """A number for JSON, which has no NaN."""
    return None if math.isnan(value) else round(value, digits)


def output(line: str) -> None:
    """To stdout: what the user asked for."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def say(line: str) -> None:
    """To stderr: everything else."""
    sys.stderr.write(f"relax: {line}\n")


@contextmanager
def reading(quiet: bool) -> Iterator[Callable[[int, int], None]]:
    """A progress bar of pictures on stderr; yields what is called with those done and all there are."""
    from tqdm.auto import tqdm

    with tqdm(disable=quiet, unit=" pictures", dynamic_ncols=True, delay=0.5) as bar:

        def on_file(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)

        yield on_file
