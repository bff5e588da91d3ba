"""Files that inputs are read from."""

from __future__ import annotations

import re
from collections.abc import Sequence
from os import PathLike
from pathlib import Path

from relax.errors import InputError

URL = re.compile(r"(https?|ftp|s3|gs|hf):/+", re.IGNORECASE)
"""Start of a URL; in a ``Path`` one of its two slashes is lost."""


def not_found(path: str | PathLike[str], what: str = "file") -> InputError:
    """The error of a path where there is nothing; a URL is called one.

    Args:
        path: the path.
        what: what could have been there.

    Example:
        >>> from pathlib import Path
        >>> str(not_found(Path("https://example.org/cat.jpg")))
        'https://example.org/cat.jpg: expected a file, got a URL; download it and give the file'
    """
    scheme = URL.match(str(path))
    if scheme is None:
        return InputError(f"{path}: no such {what}")
    url = f"{scheme[1]}://{str(path)[scheme.end() :]}"
    return InputError(f"{url}: expected a file, got a URL; download it and give the file")


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
    if URL.match(str(path)) and not path.exists():
        raise not_found(path)
    if suffix not in suffixes:
        got = "a folder" if path.is_dir() else suffix or "a name without suffix"
        raise InputError(f"{path}: expected {kind} ({', '.join(suffixes)}), got {got}")
    if not path.is_file():
        raise not_found(path)
