"""The pictures of a folder that is indexed: known by their stamps, and read in chunks."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import torch
from torch import Tensor

from relax.encoders import Encoder
from relax.errors import InputError

Read = dict[Path, tuple[Tensor, tuple[int, int]]]
"""What the encoder sees of each file, and the file's stamp before it was read."""


def read_pictures(encoder: Encoder, chunk: list[Path]) -> tuple[Read, dict[str, str]]:
    """What the encoder sees of each file, and why others could not be read."""
    read: Read = {}
    failed: dict[str, str] = {}
    for path in chunk:
        try:
            str(path).encode()  # the store holds text
            stamp = stamp_of(path)
            read[path] = (encoder.prepare(path).tensor, stamp)
        except InputError as error:
            failed[str(path)] = str(error)
        except UnicodeEncodeError:
            failed[str(path)] = f"{path}: its name is not UTF-8, which an index cannot hold; rename the file"
        except FileNotFoundError:
            failed[str(path)] = f"{path}: is not there any more"
    return read, failed


def stamp_of(path: Path) -> tuple[int, int]:
    """Size and time of change, by which a file is known."""
    about = path.stat()
    return about.st_size, about.st_mtime_ns


def read_chunks(
    encoder: Encoder, chunks: list[list[Path]], device: torch.device
) -> Iterator[tuple[Read, dict[str, str]]]:
    """:func:`read_pictures` of each chunk.

    On an accelerator the next chunk is read in a thread while the last is worked on. On a CPU that thread would take
    a core from the encoder, whose threads wait for each other after every layer: reading and encoding take turns.
    """
    if device.type == "cpu":
        yield from (read_pictures(encoder, chunk) for chunk in chunks)
        return
    with ThreadPoolExecutor(1) as reader:
        waiting = [reader.submit(read_pictures, encoder, chunk) for chunk in chunks[:1]]
        for number in range(len(chunks)):
            done = waiting.pop().result()
            waiting += [reader.submit(read_pictures, encoder, chunk) for chunk in chunks[number + 1 : number + 2]]
            yield done
