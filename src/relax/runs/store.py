"""A store of explanations: Parquet shards and a manifest in a folder, written by one process at a time.

A row is in the store once or not at all: a shard is named by the keys of its rows, written beside and renamed, and
never holds a key that another shard has. Rows that are made again replace theirs in the same way, in the same shard.
"""

from __future__ import annotations

import hashlib
import io
import json
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from relax._support.atomic import replacing
from relax._support.extras import require
from relax.errors import ArgumentError, InputError, first_line
from relax.runs.manifest import FILE, Manifest, check_same, read_manifest, write_manifest
from relax.runs.records import VECTORS, schema, table_of

ROWS = "rows"
"""Folder of the shards."""

SUMMARY = "summary.json"
"""Written at the end of a run: how many rows each shard has."""

OURS = (ROWS, SUMMARY, "lost+found")
"""Names that a folder may hold besides hidden ones before a store is made in it."""

LEFTOVER = re.compile(r"\..*\.\d+-\d+\.tmp")
"""Temporary files of processes that were killed while they wrote."""

IDENTITY = ("key", "checksum", "size", "modified", "reason")
"""Columns by which a run decides what is done."""


@dataclass(frozen=True, slots=True)
class Known:
    """What a store knows of an input.

    Attributes:
        shard: name of the shard with its row.
        checksum: of the input; ``None`` if it could not be read.
        size: of the file in bytes; ``None`` for other inputs.
        modified: modification time of the file in nanoseconds.
        failed: whether there is a reason instead of maps.
    """

    shard: str
    checksum: str | None
    size: int | None
    modified: int | None
    failed: bool


class Store:
    """Explanations of many inputs on disk; its shards are plain Parquet files in the folder ``rows``.

    Args:
        folder: the store.

    Raises:
        InputError: the manifest is damaged, or of another schema.

    Attributes:
        folder: the store.
        manifest: settings, encoder and versions; ``None`` for a store that is still empty.
    """

    def __init__(self, folder: str | PathLike[str]) -> None:
        self.folder = Path(folder)
        self.manifest: Manifest | None = read_manifest(self.folder)
        if self.manifest is None and any(self.shards()):
            raise InputError(f"{self.folder}: has rows but no {FILE}; restore it, or choose another --out")

    def check_own(self) -> None:
        """Refuse a folder of other files, such as the pictures themselves.

        Raises:
            ArgumentError: the folder holds something, and is no store.
        """
        if self.manifest is not None or not self.folder.is_dir():
            return
        others = sorted(path.name for path in self.folder.iterdir() if path.name[0] != "." and path.name not in OURS)
        if others:
            raise ArgumentError(
                f"{self.folder}: expected a store, or an empty or new folder, got one that holds {others[0]!r}; choose "
                "another --out"
            )

    def shards(self) -> list[Path]:
        """Paths of the shards, sorted."""
        return sorted((self.folder / ROWS).glob("*.parquet"))

    def table(self, columns: Sequence[str] | None = None) -> Any:
        """Rows of all shards as a ``pyarrow.Table``.

        Args:
            columns: names of columns; ``None`` for all.

        Raises:
            InputError: a shard is damaged, or one is missing that was there when the last run ended.
            ArgumentError: there is no such column.
        """
        pa = require("pyarrow", extra="run")
        unknown = {*(columns or ())} - {*schema().names}
        if unknown:
            raise ArgumentError(f"expected columns of {', '.join(schema().names)}; got {', '.join(sorted(unknown))}")
        missing = self.missing()
        if missing:
            raise InputError(
                f"{self.folder}: {len(missing)} shards are missing, such as {missing[0]}; run `relax run` again, which "
                "makes their rows again"
            )
        wanted = schema() if columns is None else pa.schema([schema().field(name) for name in columns])
        tables = [_read(path, wanted.names).cast(wanted) for path in self.shards()]
        return pa.concat_tables([wanted.empty_table(), *tables])

    def missing(self) -> list[str]:
        """Names of shards that were there when the last run ended, and are no longer."""
        try:
            summary = json.loads((self.folder / SUMMARY).read_bytes())
            listed = list(summary["shards"])
        except (OSError, ValueError, KeyError, TypeError):  # no run has ended, or the summary is damaged
            return []
        present = {path.name for path in self.shards()}
        return [name for name in listed if name not in present]

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Hold the exclusive right to write; removes what killed processes left.

        Raises:
            ArgumentError: another process is writing, or the folder cannot be written to.
        """
        lock = FileLock(self.folder / ".lock", timeout=0)
        with writes(self.folder):
            (self.folder / ROWS).mkdir(parents=True, exist_ok=True)
            try:
                lock.acquire()
            except Timeout:
                raise ArgumentError(
                    f"{self.folder}: another run is writing to this store; wait until it has ended, or choose another "
                    "--out"
                ) from None
        try:
            with writes(self.folder):
                for folder in (self.folder, self.folder / ROWS):
                    for path in folder.iterdir():
                        if LEFTOVER.fullmatch(path.name):
                            path.unlink(missing_ok=True)
            self.manifest = read_manifest(self.folder)
            yield
        finally:
            lock.release()

    def bind(self, manifest: Manifest) -> None:
        """Bind the store to a run's settings, or check that they are those of the store.

        Raises:
            ArgumentError: the store holds a run with other settings, or with another encoder.
        """
        if self.manifest is not None:
            check_same(self.folder, self.manifest, manifest)
            return
        with writes(self.folder):
            write_manifest(self.folder, manifest)
        self.manifest = read_manifest(self.folder)

    def known(self) -> tuple[dict[str, Known], list[str]]:
        """What the store knows of each input, by key, and damaged shards, which are removed."""
        known: dict[str, Known] = {}
        damaged = []
        for path in self.shards():
            try:
                columns = _read(path, IDENTITY).to_pydict()
            except InputError as error:
                with writes(self.folder):
                    path.unlink()
                damaged.append(str(error))
                continue
            for key, checksum, size, modified, reason in zip(*(columns[name] for name in IDENTITY), strict=True):
                known[key] = Known(path.name, checksum, size, modified, reason is not None)
        return known, damaged

    def put(self, rows: Sequence[Mapping[str, Any]], known: Mapping[str, Known]) -> str | None:
        """Write rows: new ones into a shard of their own, others in the place of the rows that they replace.

        Args:
            rows: the rows; no key twice.
            known: what the store knows, by key.

        Returns:
            Name of the new shard; ``None`` if there are no new rows.

        Raises:
            ArgumentError: they cannot be written, such as on a full disk.
        """
        replaced: dict[str, dict[str, Mapping[str, Any]]] = defaultdict(dict)
        new = [row for row in rows if row["key"] not in known]
        for row in rows:
            if row["key"] in known:
                replaced[known[row["key"]].shard][row["key"]] = row
        for name, by_key in replaced.items():
            before = _read(self.folder / ROWS / name, schema().names)
            places = {key: len(before) + number for number, key in enumerate(by_key)}
            keys = before.column("key").to_pylist()
            both = require("pyarrow", extra="run").concat_tables([before, table_of(list(by_key.values()))])
            self._write(name, both.take([places.get(key, number) for number, key in enumerate(keys)]))
        if not new:
            return None
        name = shard_name([row["key"] for row in new])
        self._write(name, table_of(new))
        return name

    def summarise(self, summary: Mapping[str, Any]) -> None:
        """Write the summary of a run that has ended, with the number of rows of each shard."""
        parquet = require("pyarrow.parquet", extra="run")
        shards = {path.name: parquet.read_metadata(path).num_rows for path in self.shards()}
        with writes(self.folder), replacing(self.folder / SUMMARY) as file:
            file.write(json.dumps({**summary, "shards": shards}, indent=1).encode())

    def _write(self, name: str, table: Any) -> None:
        content = io.BytesIO()
        require("pyarrow.parquet", extra="run").write_table(
            table,
            content,
            compression="zstd",
            use_dictionary=["precision"],
            use_byte_stream_split=[f"{vector}.list.element" for vector in VECTORS],
        )
        with writes(self.folder), replacing(self.folder / ROWS / name) as file:
            file.write(content.getbuffer())


def shard_name(keys: Sequence[str]) -> str:
    """Name of the shard that holds the rows of these keys."""
    digest = hashlib.sha256(json.dumps(list(keys)).encode()).hexdigest()
    return f"{digest[:20]}.parquet"


@contextmanager
def writes(folder: Path) -> Iterator[None]:
    """Turn errors of writing into one line.

    Raises:
        ArgumentError: the folder cannot be written to, or the disk is full.
    """
    try:
        yield
    except OSError as error:
        reason = error.strerror or first_line(error)
        raise ArgumentError(
            f"{folder}: cannot be written: {reason}; what is in the store is kept, and the same command goes "
            "on from there"
        ) from error


def _read(path: Path, columns: Sequence[str]) -> Any:
    """Columns of a shard.

    Raises:
        InputError: the shard is damaged.
    """
    pa, parquet = require("pyarrow", extra="run"), require("pyarrow.parquet", extra="run")
    try:
        return parquet.ParquetFile(path).read(columns=list(columns))
    except (OSError, pa.ArrowException, ValueError) as error:
        raise InputError(f"{path}: is damaged: {first_line(error)}") from error
