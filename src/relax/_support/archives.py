"""Reading ``.npz`` files that may be damaged or made to do harm: everything is checked before it is allocated."""

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
"""Bytes that all arrays of a file may take together."""

MOST_TEXT = 2**24
"""Bytes that the JSON part may take."""

_DAMAGED = (
    *(OSError, ValueError, EOFError, NotImplementedError, RuntimeError, SyntaxError, MemoryError),
    *(zipfile.BadZipFile, zlib.error, tokenize.TokenError),
)
"""What zipfile and NumPy raise on files that are damaged."""

MOST_MEMBERS = 64
MOST_DEPTH = 32
"""Levels that lists and mappings may be nested in the JSON part."""


def read_archive(path: str | PathLike[str], what: str) -> tuple[dict[str, np.ndarray], Any]:
    """Arrays and the JSON value under ``"about"`` in a ``.npz`` file.

    Args:
        path: of the file.
        what: that it should be, for messages: ``"a saved explanation"``.

    Raises:
        InputError: no such file, or one that is damaged, too large, or holds anything but numbers and one text.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            headers = {name: _header(archive, name) for name in _names(archive)}
            total = sum(math.prod(shape) * dtype.itemsize for shape, dtype in headers.values())
            if total > MOST_BYTES:
                raise ValueError(f"its arrays would take {total:,} bytes, more than {MOST_BYTES:,}")
            if "about" not in headers:
                raise ValueError("it has no description")
            arrays = {name: _array(archive, name) for name in headers}
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except IsADirectoryError:
        raise InputError(f"{path}: expected {what}, got a folder") from None
    except _DAMAGED as error:
        raise InputError(f"{path}: not {what}: {_reason(error)}") from error
    return arrays, _described(path, what, arrays.pop("about"))


def _names(archive: zipfile.ZipFile) -> list[str]:
    names = archive.namelist()
    if len(names) > MOST_MEMBERS or len(set(names)) < len(names):
        raise ValueError(f"it has {len(names)} parts, some of them twice or more than {MOST_MEMBERS}")
    if not all(name.endswith(".npy") and "/" not in name and "\\" not in name for name in names):
        raise ValueError("it holds something else than arrays")
    return [name.removesuffix(".npy") for name in names]


def _header(archive: zipfile.ZipFile, name: str) -> tuple[tuple[int, ...], np.dtype[Any]]:
    """Shape and type of one array, without reading its values."""
    readers: dict[tuple[int, int], Callable[..., Any]] = {
        (1, 0): npy.read_array_header_1_0,
        (2, 0): npy.read_array_header_2_0,
    }
    with archive.open(f"{name}.npy") as file:
        version = npy.read_magic(file)
        if version not in readers:
            raise ValueError(f"{name} is an array of an unknown version {version}")
        shape, _, dtype = readers[version](file)
    size = math.prod(shape) * dtype.itemsize
    kinds = "U" if name == "about" else "biuf"
    if dtype.kind not in kinds or (name == "about" and (shape != () or size > 4 * MOST_TEXT)):
        raise ValueError(f"{name} is an array of shape {shape} and type {dtype}, which it should not be")
    if archive.getinfo(f"{name}.npy").file_size < size:
        raise ValueError(f"{name} claims {size:,} bytes and has fewer")
    return shape, dtype


def _array(archive: zipfile.ZipFile, name: str) -> np.ndarray:
    with archive.open(f"{name}.npy") as file:
        return np.asarray(npy.read_array(file, allow_pickle=False))


def _described(path: str | PathLike[str], what: str, text: np.ndarray) -> Any:
    try:
        value = json.loads(str(text))
    except (ValueError, RecursionError) as error:
        raise InputError(f"{Path(path)}: not {what}: its description is damaged: {first_line(error)[:80]}") from error
    if _depth(value) > MOST_DEPTH:
        raise InputError(f"{Path(path)}: not {what}: its description is nested too deeply")
    return value


def _depth(value: Any) -> int:
    """Levels of nesting, counted no further than is allowed."""
    level, inside = 0, [value]
    while inside and level <= MOST_DEPTH:
        level += 1
        inside = [
            item
            for container in inside
            if isinstance(container, (dict, list))
            for item in (container.values() if isinstance(container, dict) else container)
        ]
    return level


def _reason(error: BaseException) -> str:
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return first_line(error)[:200] or type(error).__name__
