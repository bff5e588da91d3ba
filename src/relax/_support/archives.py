"""Safe reading of untrusted ``.npz`` files: headers are validated before any array is allocated."""

from __future__ import annotations

import json
import math
import tokenize
import zipfile
import zlib
from collections.abc import Callable
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib import format as npy

from relax.errors import InputError, first_line

MOST_BYTES = 2**30
"""Maximum total size of the arrays of a file, in bytes."""

MOST_TEXT = 2**24
"""Maximum size of the JSON text, in bytes."""

_DAMAGED = (
    *(OSError, ValueError, EOFError, NotImplementedError, RuntimeError, SyntaxError, MemoryError),
    *(zipfile.BadZipFile, zlib.error, tokenize.TokenError),
)
"""Exceptions that zipfile and NumPy raise on damaged files."""

MOST_MEMBERS = 64
"""Maximum number of arrays in a file."""

MOST_DEPTH = 32
"""Maximum nesting depth of the JSON value."""


def read_archive(path: str | PathLike[str], what: str) -> tuple[dict[str, np.ndarray], Any]:
    """Read a ``.npz`` file of numeric arrays and one JSON text.

    Args:
        path: the file.
        what: expected content, for messages: ``"a saved explanation"``.

    Returns:
        Arrays by name, and the value of the JSON text under ``"about"``.

    Raises:
        InputError: the file is missing, damaged, too large, or holds anything but numbers and the JSON text.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            headers = {name: _header(archive, name) for name in _names(archive)}
            total = sum(math.prod(shape) * dtype.itemsize for shape, dtype in headers.values())
            if total > MOST_BYTES:
                raise ValueError(f"its arrays would take {total:,} bytes, more than {MOST_BYTES:,}")
            if "about" not in headers:
                raise ValueError("its description is missing")
            arrays = {name: _array(archive, name) for name in headers}
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except IsADirectoryError:
        raise InputError(f"{path}: expected {what}, got a folder") from None
    except _DAMAGED as error:
        raise InputError(f"{path}: not {what}: {_reason(error)}") from error
    return arrays, _json_value(path, what, arrays.pop("about"))


def _names(archive: zipfile.ZipFile) -> list[str]:
    names = archive.namelist()
    if len(names) > MOST_MEMBERS or len(set(names)) < len(names):
        raise ValueError(f"expected at most {MOST_MEMBERS} parts with distinct names, got {len(names)}")
    if not all(name.endswith(".npy") and "/" not in name and "\\" not in name for name in names):
        raise ValueError("it holds other files than arrays")
    return [name.removesuffix(".npy") for name in names]


def _header(archive: zipfile.ZipFile, name: str) -> tuple[tuple[int, ...], np.dtype[Any]]:
    """Shape and dtype of one array, without reading its values."""
    readers: dict[tuple[int, int], Callable[..., Any]] = {
        (1, 0): npy.read_array_header_1_0,
        (2, 0): npy.read_array_header_2_0,
    }
    with archive.open(f"{name}.npy") as file:
        version = npy.read_magic(file)
        if version not in readers:
            raise ValueError(f"{name} has an unsupported array format version {version}")
        shape, _, dtype = readers[version](file)
    size = math.prod(shape) * dtype.itemsize
    kinds = "U" if name == "about" else "biuf"
    if dtype.kind not in kinds or (name == "about" and (shape != () or size > 4 * MOST_TEXT)):
        raise ValueError(f"{name} has an unexpected shape {shape} or type {dtype}")
    if archive.getinfo(f"{name}.npy").file_size < size:
        raise ValueError(f"{name} claims {size:,} bytes but has fewer")
    return shape, dtype


def _array(archive: zipfile.ZipFile, name: str) -> np.ndarray:
    with archive.open(f"{name}.npy") as file:
        return np.asarray(npy.read_array(file, allow_pickle=False))


def _json_value(path: str | PathLike[str], what: str, text: np.ndarray) -> Any:
    try:
        value = json.loads(str(text))
    except (ValueError, RecursionError) as error:
        raise InputError(f"{Path(path)}: not {what}: its description is damaged: {first_line(error)[:80]}") from error
    if _depth(value) > MOST_DEPTH:
        raise InputError(f"{Path(path)}: not {what}: its description is nested too deeply")
    return value


def _depth(value: Any) -> int:
    """Nesting depth of a JSON value, counted up to one more than ``MOST_DEPTH``."""
    depth, values = 0, [value]
    while values and depth <= MOST_DEPTH:
        depth += 1
        values = [
            item
            for container in values
            if isinstance(container, (dict, list))
            for item in (container.values() if isinstance(container, dict) else container)
        ]
    return depth


def _reason(error: BaseException) -> str:
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return first_line(error)[:200] or type(error).__name__
