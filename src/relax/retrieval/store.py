"""The LanceDB table behind an index: entries, file stamps and representations.

Every addition is an atomic commit. A file lock allows one writer at a time; readers are not blocked.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from relax._support.extras import require
from relax.errors import ArgumentError, InputError, RelaxError, first_line
from relax.retrieval.entries import Entry
from relax.retrieval.files import Key, Read, Stamp

TABLE = "representations"
"""Name of the LanceDB table."""

DELETED_AT_ONCE = 64
"""Paths in one delete statement."""


class Store:
    """The table of an index.

    Args:
        folder: folder of the index.

    Raises:
        InputError: the table is missing or damaged.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        lancedb = require("lancedb", extra="match")
        with self._damage_as_input_error():
            self._table: Any = lancedb.connect(folder).open_table(TABLE)
        self._cached: tuple[int, list[Entry], Tensor] | None = None  # version of the table, entries, directions

    @staticmethod
    def create(folder: Path, length: int) -> None:
        """Create an empty table unless it exists.

        Args:
            folder: folder of the index.
            length: length of the representations.
        """
        lancedb, pyarrow = require("lancedb", extra="match"), require("pyarrow", extra="match")
        schema = pyarrow.schema(
            [
                ("path", pyarrow.string()),
                ("row", pyarrow.int64()),
                ("start", pyarrow.int64()),
                ("stop", pyarrow.int64()),
                ("text", pyarrow.string()),
                ("size", pyarrow.int64()),
                ("modified", pyarrow.int64()),
                ("vector", pyarrow.list_(pyarrow.float32(), length)),
            ]
        )
        lancedb.connect(folder).create_table(TABLE, schema=schema, exist_ok=True)

    def __len__(self) -> int:
        """Number of representations."""
        return int(self._table.count_rows())

    def stamps(self) -> dict[Key, Stamp]:
        """Size and modification time of each file when it was encoded, by path and row."""
        columns = ["path", "row", "size", "modified"]
        rows = self._table.search().select(columns).to_arrow().to_pydict()
        values = zip(*(rows[column] for column in columns), strict=True)
        return {(path, row): (size, modified) for path, row, size, modified in values}

    def directions(self, length: int) -> tuple[list[Entry], Tensor]:
        """Entries and normalised representations, cached until the table changes.

        Args:
            length: length of the representations, ``D``.

        Returns:
            Entries, and a ``(N, D)`` float32 tensor.

        Raises:
            InputError: the table is damaged.
        """
        with self._damage_as_input_error():
            self._table.checkout_latest()
            if self._cached is None or self._cached[0] != self._table.version:
                parts = ["path", "row", "start", "stop", "text"]
                columns = self._table.search().select([*parts, "vector"]).to_arrow().combine_chunks()
                flat = columns.column("vector").combine_chunks().flatten().to_numpy(zero_copy_only=False)
                directions = torch.nn.functional.normalize(torch.tensor(flat).view(-1, length), dim=1)
                rows = zip(*(columns.column(part).to_pylist() for part in parts), strict=True)
                self._cached = (self._table.version, [Entry(*row) for row in rows], directions)
            return self._cached[1], self._cached[2]

    def put(self, read: Sequence[Read], vectors: Tensor, stored: Collection[str]) -> None:
        """Add representations in one commit; rows of stored files, which have changed, are replaced.

        Args:
            read: the inputs, in the order of the vectors.
            vectors: ``(N, D)`` float32 on the CPU.
            stored: paths of files that are in the table, and in which every row is replaced.
        """
        pyarrow = require("pyarrow", extra="match")
        rows = pyarrow.table(
            {
                "path": [item.entry.path for item in read],
                "row": pyarrow.array([item.entry.row for item in read], pyarrow.int64()),
                "start": pyarrow.array([item.entry.start for item in read], pyarrow.int64()),
                "stop": pyarrow.array([item.entry.stop for item in read], pyarrow.int64()),
                "text": pyarrow.array([item.entry.text for item in read], pyarrow.string()),
                "size": [item.stamp[0] for item in read],
                "modified": [item.stamp[1] for item in read],
                "vector": pyarrow.FixedSizeListArray.from_arrays(
                    pyarrow.array(vectors.numpy().ravel(), pyarrow.float32()), vectors.shape[1]
                ),
            }
        )
        # if the process is killed between the two, the deleted files are encoded again next time
        self.delete(sorted({item.entry.path for item in read} & {*stored}))
        self._table.add(rows)

    def delete(self, paths: list[str]) -> None:
        """Delete the rows of files."""
        for start in range(0, len(paths), DELETED_AT_ONCE):
            names = ", ".join("'" + path.replace("'", "''") + "'" for path in paths[start : start + DELETED_AT_ONCE])
            self._table.delete(f"path IN ({names})")

    def compact(self) -> None:
        """Merge the small files of many commits."""
        self._table.optimize()

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Hold the exclusive right to write.

        Raises:
            ArgumentError: another process is writing.
        """
        filelock = require("filelock", extra="match")
        lock = filelock.FileLock(self.folder / ".lock", timeout=0)
        try:
            lock.acquire()
        except filelock.Timeout:
            raise ArgumentError(
                f"{self.folder}: another process is writing to this index; wait until it has finished"
            ) from None
        try:
            yield
        finally:
            lock.release()

    @contextmanager
    def _damage_as_input_error(self) -> Iterator[None]:
        """Turn LanceDB's errors on a damaged table into a one-line error."""
        try:
            yield
        except (ValueError, OSError, RuntimeError) as error:
            if isinstance(error, RelaxError):
                raise
            raise InputError(
                f"{self.folder}: the store is damaged ({first_line(error)[:80]}); build the index again in another "
                "folder"
            ) from error
