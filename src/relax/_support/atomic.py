"""Atomic file writing, with errors of one line."""

from __future__ import annotations

import errno
import os
import re
import stat
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from relax.errors import ArgumentError, first_line


@contextmanager
def atomic_write(path: str | os.PathLike[str]) -> Iterator[BinaryIO]:
    """Open a file with :func:`replacing`; an error of the file system becomes one line.

    Args:
        path: destination.

    Yields:
        The file to write to, in binary mode.

    Raises:
        ArgumentError: the file cannot be written; the message names it and the reason.
    """
    try:
        with replacing(path) as file:
            yield file
    except BrokenPipeError:  # the reader has left, which is no error of the path
        raise
    except FileNotFoundError as error:
        raise ArgumentError(f"{path}: cannot be written: its folder does not exist; create it first") from error
    except OSError as error:
        place, reason = error.filename or path, error.strerror or first_line(error)
        raise ArgumentError(f"{place}: cannot be written: {reason}; choose another path") from error


def writable_folder(folder: str | os.PathLike[str]) -> Path:
    """Create a folder if needed and check that it is writable.

    Args:
        folder: the folder.

    Raises:
        ArgumentError: the folder cannot be created or written to.
    """
    path = Path(folder)
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        reason = error.strerror or first_line(error)
        raise ArgumentError(f"{path}: cannot create this folder: {reason}; choose another one (--out)") from error
    if not os.access(path, os.W_OK):
        raise ArgumentError(f"{path}: cannot write to this folder; choose another one (--out)")
    return path


@contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[BinaryIO]:
    """Open a file for writing, and move it into place only once it is complete.

    Replaces an existing file, or leaves it untouched if writing fails or is interrupted. Follows symbolic links, and
    writes directly to devices and pipes. Removes temporary files that killed processes left behind for the same path.

    Args:
        path: destination.

    Yields:
        The file to write to, in binary mode.

    Raises:
        ArgumentError: the path is a folder, or a symbolic link to itself.
        OSError: the file cannot be written; its ``filename`` is ``path``.
    """
    given = Path(path)
    path = _target(given)
    if path.exists() and not stat.S_ISREG(path.stat().st_mode):
        with path.open("wb") as file:
            yield file
        return
    _remove_leftovers(path)
    temporary = path.with_name(f".{path.name}.{os.getpid()}-{threading.get_ident()}.tmp")
    try:
        with temporary.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        if error.filename is not None and Path(os.fsdecode(error.filename)) != temporary:
            raise
        raise type(error)(error.errno, error.strerror, str(given)) from None  # name the path the user gave
    finally:
        with suppress(OSError):  # it was moved, or could not be made
            temporary.unlink()


def _target(path: Path) -> Path:
    """The path with symbolic links resolved."""
    try:
        target = path.resolve() if path.is_symlink() else path
        is_folder = target.is_dir()
    except (OSError, RuntimeError) as error:  # a link to itself
        if isinstance(error, OSError) and error.errno != errno.ELOOP:
            raise
        raise ArgumentError(f"{path}: a link that leads to itself; choose another path") from error
    if target.is_symlink():  # some Python versions do not raise on loops
        raise ArgumentError(f"{path}: a link that leads to itself; choose another path")
    if is_folder:
        raise ArgumentError(f"{path}: expected the path of a file, got a folder")
    return target


def _remove_leftovers(path: Path) -> None:
    """Remove temporary files of this path whose process no longer exists."""
    pattern = re.compile(re.escape(f".{path.name}.") + r"(\d+)-\d+\.tmp")
    try:
        files = list(path.parent.iterdir())
    except OSError:
        return  # opening the file will raise a better error
    for file in files:
        match = pattern.fullmatch(file.name)
        if match and int(match[1]) != os.getpid() and not _alive(int(match[1])):
            file.unlink(missing_ok=True)


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        return True
    return True
