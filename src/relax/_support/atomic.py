"""Files that are there whole or not at all."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from relax.errors import ArgumentError


@contextmanager
def atomic_write(path: str | os.PathLike[str]) -> Iterator[BinaryIO]:
    """Open a file for writing that takes its place only once it is complete.

    An existing file of that name is replaced; if the writing fails or is interrupted it stays as it was. A link is
    followed, so that its target is replaced and the link stays. A device or a pipe is written to as it is. Temporary
    files that killed processes left for the same name are removed.

    Raises:
        ArgumentError: the path is a folder, or a link that leads nowhere but to itself.
        OSError: the file cannot be written; its ``filename`` is the path that was given.
    """
    given = Path(path)
    path = _target(given)
    if path.exists() and not stat.S_ISREG(path.stat().st_mode):
        with path.open("wb") as file:
            yield file
        return
    _remove_leftovers(path)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        if error.filename is not None and Path(os.fsdecode(error.filename)) != temporary:
            raise
        raise type(error)(error.errno, error.strerror, str(given)) from None  # users know no temporary file
    finally:
        temporary.unlink(missing_ok=True)


def _target(path: Path) -> Path:
    """Where a path leads, links followed."""
    try:
        target = path.resolve() if path.is_symlink() else path
        folder = target.is_dir()
    except (OSError, RuntimeError) as error:  # a link to itself
        raise ArgumentError(f"{path}: a link that leads to itself; choose another path") from error
    if target.is_symlink():  # resolve() gives up on loops silently in some versions
        raise ArgumentError(f"{path}: a link that leads to itself; choose another path")
    if folder:
        raise ArgumentError(f"{path}: expected the path of a file, got a folder")
    return target


def _remove_leftovers(path: Path) -> None:
    """Temporary files of this name whose process is there no more."""
    pattern = re.compile(re.escape(f".{path.name}.") + r"(\d+)\.tmp")
    try:
        files = list(path.parent.iterdir())
    except OSError:
        return  # opening the file says what is wrong
    for file in files:
        found = pattern.fullmatch(file.name)
        if found and int(found[1]) != os.getpid() and not _alive(int(found[1])):
            file.unlink(missing_ok=True)


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        return True
    return True
