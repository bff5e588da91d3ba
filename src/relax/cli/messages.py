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
def counted(what: str, quiet: bool) -> Iterator[Callable[..., None]]:
    """A progress bar on stderr; yields what is called with those done, all there are, and a few words."""
    from tqdm.auto import tqdm

    with tqdm(disable=quiet, unit=f" {what}", dynamic_ncols=True, delay=0.5) as bar:

        def show(done: int, total: int, words: str = "") -> None:
            bar.total = total
            bar.set_postfix_str(words, refresh=False)
            bar.update(done - bar.n)

        yield show
