"""Files that inputs are read from."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from relax.errors import InputError


def check_file(path: Path, suffixes: Sequence[str], kind: str) -> None:
    """Check that a file is there and has a suffix that is read.

    Args:
        path: the file.
        suffixes: suffixes that are read, in lower case.
        kind: what it should hold, such as ``"a table"``, for messages.

    Raises:
        InputError: the suffix is another one, or there is no such file.
    """
    suffix = path.suffix.lower()
    if suffix not in suffixes:
        got = "a folder" if path.is_dir() else suffix or "a name without suffix"
        raise InputError(f"{path}: expected {kind} ({', '.join(suffixes)}), got {got}")
    if not path.is_file():
        raise InputError(f"{path}: no such file")
