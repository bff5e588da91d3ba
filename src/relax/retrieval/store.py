"""The LanceDB table behind an index: paths, file stamps and representations.

Every addition is an atomic commit. A file lock allows one writer at a time; readers are not blocked.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from relax._support.extras import require
from relax.errors import ArgumentError, InputError, RelaxError, first_line
from relax.retrieval.files import Read, Stamp

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
        self._cached: tuple[int, list[str], Tensor] | None = None  # version of the table, paths, directions

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
                ("size", pyarrow.int64()),
                ("modified", pyarrow.int64()),
                ("vector", pyarrow.list_(pyarrow.float32(), length)),
            ]
        )
        lancedb.connect(folder).create_table(TABLE, schema=schema, exist_ok=True)

    def __len__(self) -> int:
        """Number of pictures."""
        return int(self._table.count_rows())

    def stamps(self) -> dict[str, Stamp]:
        """Size and modification time of each file when it was encoded, by path."""
        rows = self._table.search().select(["path", "size", "modified"]).to_arrow().to_pydict()
        return dict(zip(rows["path"], zip(rows["size"], rows["modified"], strict=True), strict=True))

    def directions(self, length: int) -> tuple[list[str], Tensor]:
        """Paths and normalised representations, cached until the table changes.

        Args:
            length: length of the representations, ``D``.

        Returns:
            Paths, and a ``(N, D)`` float32 tensor.

        Raises:
            InputError: the table is damaged.
        """
        with self._damage_as_input_error():
            self._table.checkout_latest()
            if self._cached is None or self._cached[0] != self._table.version:
                columns = self._table.search().select(["path", "vector"]).to_arrow().combine_chunks()
                flat = columns.column("vector").combine_chunks().flatten().to_numpy(zero_copy_only=False)
                directions = torch.nn.functional.normalize(torch.tensor(flat).view(-1, length), dim=1)
                self._cached = (self._table.version, columns.column("path").to_pylist(), directions)
            return self._cached[1], self._cached[2]

    def put(self, read: Read, vectors: Tensor, stored: Collection[str]) -> None:
        """Add representations in one commit; rows of stored files, which have changed, are replaced.

        Args:
            read: the files, in the order of the vectors.
            vectors: ``(N, D)`` float32 on the CPU.
            stored: paths that are in the table.
        """
        pyarrow = require("pyarrow", extra="match")
        stamps = [stamp for _, stamp in read.values()]
        rows = pyarrow.table(
            {
                "path": [str(path) for path in read],
                "size": [size for size, _ in stamps],
                "modified": [modified for _, modified in stamps],
                "vector": pyarrow.FixedSizeListArray.from_arrays(
                    pyarrow.array(vectors.numpy().ravel(), pyarrow.float32()), vectors.shape[1]
                ),
            }
        )
        # if the process is killed between the two, the deleted files are encoded again next time
        self.delete([str(path) for path in read if str(path) in stored])
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
