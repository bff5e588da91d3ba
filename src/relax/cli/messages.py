"""Output to stdout and stderr, and exit codes."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from enum import IntEnum

from relax._support.joiners import JOINERS


class Exit(IntEnum):
    """Exit codes."""

    OK = 0
    SOME_FAILED = 1
    BAD_INPUT = 2
    INTERRUPTED = 130


def emit(line: str) -> None:
    """Write a result line to stdout."""
    sys.stdout.write(printable(line) + "\n")
    sys.stdout.flush()


def say(line: str) -> None:
    """Write a one-line message to stderr."""
    sys.stderr.write(f"relax: {printable(line)}\n")


def note_masks(asked: int | None, used: Iterable[int]) -> None:
    """Say in one line how many masks were used, if more than were asked for.

    Args:
        asked: number of masks asked for; ``None`` if none was.
        used: numbers of masks used, one per map.
    """
    more = sorted({number for number in used if asked is not None and number > asked})
    if more:
        say(f"note: {' or '.join(map(str, more))} masks were used, not {asked}: masks come in whole blocks")


def printable(text: str) -> str:
    """Escape control characters and undecodable bytes, so that the text is one line on any terminal."""
    line = "".join(
        char if char.isprintable() or char in JOINERS else char.encode("unicode_escape", "replace").decode()
        for char in text
    )
    return line.encode("utf-8", "backslashreplace").decode()


@contextmanager
def counted(what: str, quiet: bool) -> Iterator[Callable[..., None]]:
    """Show a progress bar on stderr.

    Args:
        what: the unit that is counted, such as ``"pictures"``.
        quiet: show nothing; nor is anything shown in a file or a pipe.

    Yields:
        A function to call with the number done, the total, and optionally a short status text.
    """
    from tqdm.auto import tqdm

    with tqdm(disable=quiet or None, unit=f" {what}", dynamic_ncols=True, delay=0.5) as bar:

        def show(done: int, total: int, status: str = "") -> None:
            bar.total = total
            bar.set_postfix_str(status, refresh=False)
            bar.update(done - bar.n)

        yield show
