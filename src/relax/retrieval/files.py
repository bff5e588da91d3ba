"""Read the inputs of an indexed source in chunks, and stamp files to detect changes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from os import PathLike
from pathlib import Path

import torch

from relax.encoders import Encoder
from relax.errors import InputError
from relax.modalities import Prepared
from relax.retrieval.entries import Entry
from relax.runs.sources import source_of

Stamp = tuple[int, int]
"""Size in bytes and modification time in nanoseconds."""

Key = tuple[str, int]
"""Path of a file, and number of the row in a table (−1 for other files)."""


@dataclass(frozen=True, eq=False)
class Found:
    """An input of a source.

    Attributes:
        path: the file; the table for a row.
        row: number of the row; −1 for other files.
        value: the file, or the cell of the table.
    """

    path: Path
    row: int
    value: object

    @property
    def key(self) -> Key:
        """Identity of the input in the index."""
        return str(self.path), self.row

    @property
    def name(self) -> str:
        """Path, with the row of a table."""
        return str(self.path) if self.row < 0 else f"{self.path}#{self.row}"


@dataclass(frozen=True, eq=False)
class Read:
    """An input, or a passage of one, that was read.

    Attributes:
        entry: what it is.
        prepared: the preprocessed input.
        stamp: stamp of the file before it was read.
    """

    entry: Entry
    prepared: Prepared
    stamp: Stamp


Chunk = tuple[list[Read], dict[str, str]]
"""What was read, and for each unreadable input the reason, by name."""


def read_inputs(encoder: Encoder, chunk: Sequence[Found]) -> Chunk:
    """Read and preprocess inputs; long texts become several passages.

    Args:
        encoder: preprocesses the inputs.
        chunk: the inputs.
    """
    read: list[Read] = []
    failed: dict[str, str] = {}
    for found in chunk:
        try:
            str(found.path).encode()  # the store needs UTF-8 text
            stamp = stamp_of(found.path)
            read += [Read(entry, prepared, stamp) for entry, prepared in _parts(encoder, found)]
        except InputError as error:
            failed[found.name] = str(error) if found.row < 0 else f"{found.path}: row {found.row} (from 0): {error}"
        except UnicodeEncodeError:
            failed[found.name] = f"{found.name}: the file name is not UTF-8, which an index needs; rename the file"
        except FileNotFoundError:
            failed[found.name] = f"{found.name}: the file no longer exists"
    return read, failed


def _parts(encoder: Encoder, found: Found) -> list[tuple[Entry, Prepared]]:
    modality, parts = encoder.modality, []
    value = found.value if found.row < 0 else modality.of_cell(found.value, found.path.parent)
    for span, source in modality.passages(value):
        start, stop = span or (-1, -1)
        text = source if isinstance(source, str) else None
        parts.append((Entry(str(found.path), found.row, start, stop, text), encoder.prepare(source)))
    return parts


def stamp_of(path: Path) -> Stamp:
    """Size and modification time of a file, to detect changes."""
    status = path.stat()
    return status.st_size, status.st_mtime_ns


def read_chunks(encoder: Encoder, chunks: list[list[Found]], device: torch.device) -> Iterator[Chunk]:
    """Apply :func:`read_inputs` to each chunk.

    On an accelerator, a thread reads the next chunk while the current one is encoded. On a CPU that thread would take
    a core from the encoder, whose threads synchronise after every layer, so reading and encoding take turns.

    Args:
        encoder: preprocesses the inputs.
        chunks: the inputs.
        device: where the encoder runs.
    """
    if device.type == "cpu":
        yield from (read_inputs(encoder, chunk) for chunk in chunks)
        return
    with ThreadPoolExecutor(1) as reader:
        pending = [reader.submit(read_inputs, encoder, chunk) for chunk in chunks[:1]]
        for number in range(len(chunks)):
            result = pending.pop().result()
            pending += [reader.submit(read_inputs, encoder, chunk) for chunk in chunks[number + 1 : number + 2]]
            yield result


def inputs_in(encoder: Encoder, source: str | PathLike[str], column: str | None) -> list[Found]:
    """The inputs of a source: files, or cells of a table."""
    opened = source_of(Path(source), encoder.modality, column)
    items = (opened[position] for position in range(len(opened)))
    table = Path(source).resolve()
    return [
        Found(item.value, -1, item.value) if item.row is None else Found(table, item.row, item.value) for item in items
    ]


def changed_tables(files: Sequence[Found], stored: Mapping[Key, Stamp]) -> list[str]:
    """Tables that have changed since they were stored; all their rows are read again."""
    tables = {str(item.path): stamp_of(item.path) for item in files if item.row >= 0}
    return sorted({path for (path, row), stamp in stored.items() if row >= 0 and tables.get(path, stamp) != stamp})
