"""What goes to stdout, what to stderr, and the exit codes."""

from __future__ import annotations

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


def output(line: str) -> None:
    """To stdout: what the user asked for."""
    sys.stdout.write(shown(line) + "\n")
    sys.stdout.flush()


def say(line: str) -> None:
    """To stderr: everything else, one line each."""
    sys.stderr.write(f"relax: {shown(line)}\n")


def shown(text: str) -> str:
    """One line that any terminal can take: control characters and bytes that are no text are escaped."""
    line = "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape", "replace").decode() for letter in text
    )
    return line.encode("utf-8", "backslashreplace").decode()


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
