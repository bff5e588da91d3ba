"""Read the pictures of an indexed folder in chunks, and stamp files to detect changes."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import torch
from torch import Tensor

from relax.encoders import Encoder
from relax.errors import InputError

Stamp = tuple[int, int]
"""Size in bytes and modification time in nanoseconds."""

Read = dict[Path, tuple[Tensor, Stamp]]
"""Each file's preprocessed input, and the file's stamp before it was read."""


def read_pictures(encoder: Encoder, chunk: list[Path]) -> tuple[Read, dict[str, str]]:
    """Read and preprocess files.

    Args:
        encoder: preprocesses the pictures.
        chunk: the files.

    Returns:
        The preprocessed files, and for each unreadable file the reason, by path.
    """
    read: Read = {}
    failed: dict[str, str] = {}
    for path in chunk:
        try:
            str(path).encode()  # the store needs UTF-8 text
            stamp = stamp_of(path)
            read[path] = (encoder.prepare(path).tensor, stamp)
        except InputError as error:
            failed[str(path)] = str(error)
        except UnicodeEncodeError:
            failed[str(path)] = f"{path}: the file name is not UTF-8, which an index needs; rename the file"
        except FileNotFoundError:
            failed[str(path)] = f"{path}: the file no longer exists"
    return read, failed


def stamp_of(path: Path) -> Stamp:
    """Size and modification time of a file, to detect changes."""
    status = path.stat()
    return status.st_size, status.st_mtime_ns


def read_chunks(
    encoder: Encoder, chunks: list[list[Path]], device: torch.device
) -> Iterator[tuple[Read, dict[str, str]]]:
    """Apply :func:`read_pictures` to each chunk.

    On an accelerator, a thread reads the next chunk while the current one is encoded. On a CPU that thread would take
    a core from the encoder, whose threads synchronise after every layer, so reading and encoding take turns.

    Args:
        encoder: preprocesses the pictures.
        chunks: the files.
        device: where the encoder runs.
    """
    if device.type == "cpu":
        yield from (read_pictures(encoder, chunk) for chunk in chunks)
        return
    with ThreadPoolExecutor(1) as reader:
        pending = [reader.submit(read_pictures, encoder, chunk) for chunk in chunks[:1]]
        for number in range(len(chunks)):
            result = pending.pop().result()
            pending += [reader.submit(read_pictures, encoder, chunk) for chunk in chunks[number + 1 : number + 2]]
            yield result
