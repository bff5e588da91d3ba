"""Checksums of inputs: what an input is, wherever it lies and whatever it is called."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from torch import Tensor

from relax.errors import InputError
from relax.modalities.files import not_found
from relax.modalities.parts import Part

BUFFER = 2**20
"""Bytes of a file that are read at a time."""


def checksum_of(value: Any) -> str:
    """SHA-256 of an input, 64 hexadecimal digits.

    Args:
        value: a path (the file's bytes count, not its name), a string, bytes, a number, an array, a tensor, a PIL
            image, a DataFrame, a part of a file, or a list or mapping of these.

    Raises:
        InputError: the file cannot be read, or the input is of another type.
    """
    digest = hashlib.sha256()
    _add(digest, value)
    return digest.hexdigest()


def seed_for(seed: int, checksum: str) -> int:
    """Seed of the masks of one input, in [0, 2^63): drawn by the run's seed and the input's checksum.

    Args:
        seed: the run's seed.
        checksum: of the input.
    """
    words = [int(checksum[start : start + 8], 16) for start in range(0, len(checksum), 8)]
    drawn = np.random.SeedSequence([seed, *words]).generate_state(1, np.uint64)
    return int(drawn[0] >> np.uint64(1))


def _add(digest: Any, value: Any) -> None:
    """Add a value to a digest; everything but a file starts with its type and size."""
    if hasattr(value, "iloc") and hasattr(value, "to_dict"):  # a row of a table, of pandas
        value = value.to_dict()
    if isinstance(value, PathLike):
        _add_file(digest, Path(value))
    elif isinstance(value, Part):
        _add(digest, value.value)
    elif hasattr(value, "iloc"):
        _add_bytes(digest, "rows", value.to_json(orient="split", index=False).encode())
    elif isinstance(value, str):
        _add_bytes(digest, "text", value.encode("utf-8", "surrogatepass"))
    elif isinstance(value, (bytes, bytearray)):
        _add_bytes(digest, "bytes", bytes(value))
    elif isinstance(value, Image.Image):
        _add_bytes(digest, f"picture {value.mode} {value.size}", value.tobytes())
    elif isinstance(value, Tensor):
        _add(digest, value.detach().cpu().float().numpy())
    elif isinstance(value, np.ndarray) and value.dtype != object:
        _add_bytes(digest, f"array {value.dtype} {value.shape}", np.ascontiguousarray(value).tobytes())
    elif isinstance(value, Mapping):
        _add_bytes(digest, "mapping", str(len(value)).encode())
        for key in sorted(value, key=str):
            _add(digest, str(key))
            _add(digest, value[key])
    elif isinstance(value, (list, tuple)):
        _add_bytes(digest, "list", str(len(value)).encode())
        for item in value:
            _add(digest, item)
    elif value is None or isinstance(value, (bool, int, float, np.number)):
        _add_bytes(digest, "number", repr(value).encode())
    else:
        raise InputError(f"expected a path, a text, an array or a picture as input, got {type(value).__name__}")


def _add_file(digest: Any, path: Path) -> None:
    try:
        with path.open("rb") as file:
            while block := file.read(BUFFER):
                digest.update(block)
    except FileNotFoundError:
        raise not_found(path) from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror or error}") from error


def _add_bytes(digest: Any, kind: str, content: bytes) -> None:
    digest.update(f"{kind} {len(content)}\n".encode())
    digest.update(content)
