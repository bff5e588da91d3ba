"""Representations of a folder of pictures in a vector store on disk, to be searched.

The store is LanceDB: embedded, columnar, with every addition an atomic commit, so that an index that was killed while
it grew holds each file once or not at all, and goes on. Only one process may write (a lock says so); reading goes on
meanwhile. A search is exact: directions are read into memory once, one product with the query compares them all.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from relax._support.atomic import atomic_write
from relax._support.extras import require
from relax.encoders import Encoder, Session, ensure
from relax.errors import ArgumentError, InputError, RelaxError, RelaxWarning, first_line
from relax.modalities.image.pictures import pictures_below
from relax.references.vectors import as_vector
from relax.retrieval.files import Read, read_chunks, stamp_of

SCHEMA = 1
"""Version of the store; one of another version is refused."""

ABOUT = "about.json"
TABLE = "representations"
CHUNK = 64
"""Pictures between two commits."""

SAME = 1e-3
"""Cosine distance between representations of one picture above which an encoder counts as another one."""

ROWS = 1024
"""Rows that are compared with all others at a time."""

COMPACTED = 32
"""Commits after which small files are put together."""

OnFile = Callable[[int, int], None]


@dataclass(frozen=True)
class Added:
    """What came of adding a folder.

    Attributes:
        added: files that were encoded.
        known: files that were there already, unchanged.
        failed: why others could not be read, by path.
        gone: files of the folder that are not there any more, and not in the index either now.
        noted: warnings while they were read, such as of transparent parts that were composited on white.
    """

    added: int
    known: int
    failed: dict[str, str] = field(default_factory=dict)
    noted: list[str] = field(default_factory=list)
    gone: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Neighbour:
    """A picture that a search found.

    Attributes:
        path: of the file.
        similarity: cosine of its representation and the query's.
    """

    path: str
    similarity: float


class Index:
    """Pictures and their representations, on disk.

    Args:
        folder: of the store, made by :meth:`create`.

    Raises:
        InputError: no index there, or one of another schema.
    """

    def __init__(self, folder: str | PathLike[str]) -> None:
        self.folder = Path(folder)
        lancedb = require("lancedb", extra="match")
        try:
            about = json.loads((self.folder / ABOUT).read_text())
        except FileNotFoundError:
            raise InputError(
                f"{self.folder}: no index here; make one by `relax index FOLDER --out {self.folder}`"
            ) from None
        except (OSError, ValueError) as error:
            raise InputError(f"{self.folder / ABOUT}: cannot be read: {error}") from error
        schema = about.get("schema") if isinstance(about, dict) else None
        if schema != SCHEMA:
            raise InputError(
                f"{self.folder}: an index of schema {schema}, this version of relax reads {SCHEMA}; make it again"
            )
        if not {"encoder", "probe"} <= set(about):
            raise InputError(f"{self.folder / ABOUT}: is damaged; make the index again in another folder")
        self.about = about
        with self._reading():
            self._table = lancedb.connect(self.folder).open_table(TABLE)
        self._read: tuple[int, list[str], Tensor] | None = None

    @classmethod
    def create(cls, folder: str | PathLike[str], encoder: Any) -> Index:
        """An empty index for an encoder, or the one that is there if it was made by the same encoder.

        Args:
            folder: of the store; made if need be.
            encoder: what :func:`relax.explain` takes.
        """
        lancedb, pyarrow = require("lancedb", extra="match"), require("pyarrow", extra="match")
        encoder = ensure(encoder)
        folder = Path(folder)
        if not (folder / ABOUT).exists():
            if folder.exists() and any(folder.iterdir()) and not (folder / f"{TABLE}.lance").exists():
                raise ArgumentError(f"{folder}: not empty and no index; choose another folder")
            folder.mkdir(parents=True, exist_ok=True)
            probe = encoder.encode(_probe())[0]
            schema = pyarrow.schema(
                [
                    ("path", pyarrow.string()),
                    ("size", pyarrow.int64()),
                    ("modified", pyarrow.int64()),
                    ("vector", pyarrow.list_(pyarrow.float32(), len(probe))),
                ]
            )
            lancedb.connect(folder).create_table(TABLE, schema=schema, exist_ok=True)
            about = {"schema": SCHEMA, "encoder": encoder.settings(), "probe": probe.tolist()}
            with atomic_write(folder / ABOUT) as file:  # the last step: without it there is no index
                file.write(json.dumps(about).encode())
        index = cls(folder)
        index.check(encoder)
        return index

    def check(self, encoder: Encoder) -> None:
        """Raise unless this is the encoder, and the preprocessing, that the index was made with."""
        made = self.about["encoder"]
        if encoder.settings() != made:
            different = sorted(k for k in {*made, *encoder.settings()} if made.get(k) != encoder.settings().get(k))
            raise ArgumentError(
                f"{self.folder}: made with encoder {made.get('name')!r}, not with {encoder.name!r} as it is here "
                f"(different: {', '.join(different)}); use the same encoder and preprocessing, or make another index"
            )
        probe = torch.tensor(self.about["probe"])
        distance = 1 - float(torch.cosine_similarity(probe, encoder.encode(_probe())[0], dim=0))
        if not distance <= SAME:
            raise ArgumentError(
                f"{self.folder}: encoder {encoder.name!r} represents the same picture otherwise than when the index "
                f"was made (cosine distance {distance:.3g}); its weights have changed: make another index"
            )

    def __repr__(self) -> str:
        return f"Index({str(self.folder)!r}, {len(self)} pictures, {self.about['encoder'].get('name')})"

    def __len__(self) -> int:
        return int(self._table.count_rows())

    def add(self, encoder: Any, source: str | PathLike[str], on_file: OnFile | None = None, **session: Any) -> Added:
        """Encode the pictures of a folder, and of those in it, that are not there yet.

        A file whose size or time has changed is encoded again. What was done stays done if the process is killed.

        Args:
            encoder: the one that the index was made with.
            source: the folder.
            on_file: called with the files done and all there are to do.
            session: of :meth:`Encoder.session`: ``device``, ``precision``, ``batch_size``.

        Raises:
            ArgumentError: another process is writing to the index.
        """
        if not isinstance(source, (str, PathLike)):
            raise ArgumentError(f"expected the path of a folder, got {type(source).__name__}")
        encoder = ensure(encoder)
        self.check(encoder)
        files = pictures_below(Path(source))
        if not files:
            raise InputError(f"{source}: no pictures in this folder or below it")
        failed: dict[str, str] = {}
        with self._writing(), encoder.session(**session) as opened, warnings.catch_warnings(record=True) as noted:
            warnings.simplefilter("always", RelaxWarning)
            known = self._known()
            below = Path(source).resolve()
            gone = [path for path in known if Path(path).is_relative_to(below) and not Path(path).exists()]
            self._delete(gone)
            to_do = [path for path in files if known.get(str(path)) != stamp_of(path)]
            chunks = [to_do[start : start + CHUNK] for start in range(0, len(to_do), CHUNK)]
            for number, (read, wrong) in enumerate(read_chunks(encoder, chunks, opened.device)):
                failed.update(wrong)
                self._commit(opened, read, known)
                if on_file is not None:
                    on_file(min((number + 1) * CHUNK, len(to_do)), len(to_do))
                if number % COMPACTED == COMPACTED - 1:
                    self._table.optimize()
        notes = [str(note.message) for note in noted if issubclass(note.category, RelaxWarning)]
        return Added(len(to_do) - len(failed), len(files) - len(to_do), failed, notes, gone)

    def nearest(self, vector: Tensor | np.ndarray, k: int = 5) -> list[Neighbour]:
        """The pictures whose representations have the largest cosine with a vector, best first.

        Args:
            vector: ``(D,)``.
            k: how many.
        """
        if isinstance(k, bool) or not isinstance(k, int) or k < 1:
            raise ArgumentError(f"expected `k` to be a positive integer, got {k!r}")
        paths, directions = self._in_memory()
        query = as_vector(vector).float()
        if query.shape != directions.shape[1:]:
            raise ArgumentError(f"expected a vector of length {directions.shape[1]}, got shape {tuple(query.shape)}")
        if not float(query.norm()) > 0:
            raise ArgumentError("expected a direction to search in, got the zero vector")
        query = torch.nn.functional.normalize(query, dim=0)
        best = torch.topk(directions @ query, min(k, len(paths)))
        return [Neighbour(paths[i], s) for i, s in zip(best.indices.tolist(), best.values.tolist(), strict=True)]

    def neighbours(self, encoder: Encoder, query: str | PathLike[str], k: int = 5) -> list[Neighbour]:
        """The nearest pictures to one in a file, best first; the file itself is left out.

        Args:
            encoder: the one that the index was made with.
            query: path of the picture.
            k: how many.
        """
        found = self.nearest(encoder.encode(query)[0], k + 1)
        own = str(Path(query).resolve())
        return [neighbour for neighbour in found if neighbour.path != own][:k]

    def duplicates(self, threshold: float = 0.95) -> list[tuple[str, str, float]]:
        """Pairs of pictures whose cosine is at least a threshold, the most similar first.

        Args:
            threshold: in (0, 1].

        Returns:
            ``(path, other path, cosine)``, each pair once.
        """
        if isinstance(threshold, str) or not 0 < threshold <= 1:
            raise ArgumentError(f"expected `threshold` in (0, 1], got {threshold!r}")
        paths, directions = self._in_memory()
        found = []
        for start in range(0, len(paths), ROWS):
            cosines = directions[start : start + ROWS] @ directions[start:].T
            close = torch.triu(cosines >= threshold - 1e-6, diagonal=1)
            for row, column in close.nonzero().tolist():
                cosine = min(float(cosines[row, column]), 1.0)
                found.append((paths[start + row], paths[start + column], cosine))
        return sorted(found, key=lambda pair: -pair[2])

    def _in_memory(self) -> tuple[list[str], Tensor]:
        """Paths and directions, ``(N, D)`` float32, read again when the store has changed."""
        with self._reading():
            return self._fresh()

    def _fresh(self) -> tuple[list[str], Tensor]:
        self._table.checkout_latest()
        if self._read is None or self._read[0] != self._table.version:
            columns = self._table.search().select(["path", "vector"]).to_arrow().combine_chunks()
            length = len(self.about["probe"])
            flat = columns.column("vector").combine_chunks().flatten().to_numpy(zero_copy_only=False)
            directions = torch.nn.functional.normalize(torch.tensor(flat).view(-1, length), dim=1)
            self._read = (self._table.version, columns.column("path").to_pylist(), directions)
        return self._read[1], self._read[2]

    def _known(self) -> dict[str, tuple[int, int]]:
        rows = self._table.search().select(["path", "size", "modified"]).to_arrow().to_pydict()
        return dict(zip(rows["path"], zip(rows["size"], rows["modified"], strict=True), strict=True))

    def _commit(self, session: Session, read: Read, known: Collection[str]) -> None:
        """Encode and put into the table, in one commit; rows of known files, which have changed, are replaced."""
        if not read:
            return
        pyarrow = require("pyarrow", extra="match")
        stack = torch.stack([tensor for tensor, _ in read.values()])
        session.settle(lambda n: stack[:n])
        vectors = session.encode(stack).float().cpu()
        session.check_finite()
        stamps = [stamp for _, stamp in read.values()]
        rows = pyarrow.table(
            {
                "path": [str(path) for path in read],
                "size": [size for size, _ in stamps],
                "modified": [time for _, time in stamps],
                "vector": pyarrow.FixedSizeListArray.from_arrays(
                    pyarrow.array(vectors.numpy().ravel(), pyarrow.float32()), vectors.shape[1]
                ),
            }
        )
        changed = [str(path) for path in read if str(path) in known]
        self._delete(changed)  # should the process be killed in between, they are encoded again next time
        self._table.add(rows)

    def _delete(self, paths: list[str]) -> None:
        for start in range(0, len(paths), CHUNK):
            names = ", ".join("'" + path.replace("'", "''") + "'" for path in paths[start : start + CHUNK])
            self._table.delete(f"path IN ({names})")

    @contextmanager
    def _reading(self) -> Iterator[None]:
        """Damage to the store in one line."""
        try:
            yield
        except (ValueError, OSError, RuntimeError) as error:
            if isinstance(error, RelaxError):
                raise
            raise InputError(
                f"{self.folder}: the store is damaged ({first_line(error)[:80]}); make the index again elsewhere"
            ) from error

    @contextmanager
    def _writing(self) -> Iterator[None]:
        filelock = require("filelock", extra="match")
        lock = filelock.FileLock(self.folder / ".lock", timeout=0)
        try:
            lock.acquire()
        except filelock.Timeout:
            raise ArgumentError(
                f"{self.folder}: another process is writing to this index; wait until it is done"
            ) from None
        try:
            yield
        finally:
            lock.release()


def _probe() -> np.ndarray:
    """A picture that is always the same, ``(96, 128, 3)`` uint8."""
    rows, columns = np.mgrid[0:96, 0:128]
    return np.stack([rows * 2, columns * 2 - 1, (rows * columns) % 251], axis=-1).clip(0, 255).astype(np.uint8)
