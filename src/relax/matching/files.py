"""The pictures of a folder that is indexed: found, known by their stamps, and read ahead."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from torch import Tensor

from relax.encoders import Encoder
from relax.errors import InputError
from relax.pictures import SUFFIXES


def pictures_below(folder: Path) -> list[Path]:
    """The pictures in a folder and in those in it, by their endings, as absolute paths, sorted."""
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder")
    found = (path.resolve() for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES and path.is_file())
    return sorted(set(found))  # links to one file are one picture


Read = dict[Path, tuple[Tensor, tuple[int, int]]]
"""What the encoder sees of each file, and the file's stamp before it was read."""


def read_pictures(encoder: Encoder, chunk: list[Path]) -> tuple[Read, dict[str, str]]:
    """What the encoder sees of each file, and why others could not be read."""
    read: Read = {}
    failed: dict[str, str] = {}
    for path in chunk:
        try:
            stamp = stamp_of(path)
            read[path] = (encoder.prepare(path).tensor, stamp)
        except InputError as error:
            failed[str(path)] = str(error)
        except FileNotFoundError:
            failed[str(path)] = f"{path}: is not there any more"
    return read, failed


def stamp_of(path: Path) -> tuple[int, int]:
    """Size and time of change, by which a file is known."""
    about = path.stat()
    return about.st_size, about.st_mtime_ns


def read_ahead(encoder: Encoder, chunks: list[list[Path]]) -> Iterator[tuple[Read, dict[str, str]]]:
    """:func:`read_pictures` of each chunk, the next one read in a thread while the last is worked on."""
    with ThreadPoolExecutor(1) as reader:
        waiting = [reader.submit(read_pictures, encoder, chunk) for chunk in chunks[:1]]
        for number in range(len(chunks)):
            done = waiting.pop().result()
            waiting += [reader.submit(read_pictures, encoder, chunk) for chunk in chunks[number + 1 : number + 2]]
            yield done
