"""A searchable index of pictures or texts: representations in a vector store on disk.

The store is LanceDB: embedded and columnar, with atomic commits. If indexing is interrupted, each file is stored once
or not at all, and the next run continues. Search is exact: all directions are held in memory, and a single product
with the query compares them.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable, Collection, Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from relax._support.atomic import atomic_write
from relax._support.extras import require
from relax.encoders import Encoder, Session, ensure
from relax.errors import ArgumentError, InputError, RelaxWarning
from relax.references.vectors import as_vector
from relax.retrieval.entries import Entry
from relax.retrieval.files import Found, Key, Read, Stamp, read_chunks, stamp_of
from relax.retrieval.results import Added, Neighbour
from relax.retrieval.store import TABLE, Store
from relax.runs.sources import source_of

SCHEMA = 2
"""Version of the index format; other versions are refused."""

ABOUT = "about.json"
"""File that describes the index: format version, encoder, representation of the probe."""

CHUNK = 64
"""Files or rows per commit."""

SAME = 1e-3
"""Largest cosine distance between representations of the probe at which two encoders count as the same."""

ROWS = 1024
"""Rows compared with all others at a time when searching for duplicates."""

COMPACTED = 32
"""Number of commits after which the store's files are compacted."""

OnFile = Callable[[int, int], None]
"""Called with the number of files done and the total."""


class Index:
    """Inputs and their representations on disk: pictures, or passages of texts.

    Args:
        folder: folder of the index, as made by :meth:`create`.

    Raises:
        InputError: the folder holds no index, or one of another format version.
    """

    def __init__(self, folder: str | PathLike[str]) -> None:
        self.folder = Path(folder)
        require("lancedb", extra="match")
        self.about = _read_about(self.folder)
        self._store = Store(self.folder)

    @classmethod
    def create(cls, folder: str | PathLike[str], encoder: Any) -> Index:
        """Create an empty index for an encoder, or open the existing one if the same encoder made it.

        Args:
            folder: folder of the index; created if needed.
            encoder: anything :func:`relax.explain` accepts.

        Raises:
            ArgumentError: the folder holds other files, or an index made with another encoder.
        """
        require("lancedb", extra="match")
        require("pyarrow", extra="match")
        encoder, folder = ensure(encoder), Path(folder)
        if not (folder / ABOUT).exists():
            if folder.exists() and any(folder.iterdir()) and not (folder / f"{TABLE}.lance").exists():
                raise ArgumentError(f"{folder}: not empty and no index; choose another folder")
            folder.mkdir(parents=True, exist_ok=True)
            probe = encoder.encode(_probe(encoder))[0]
            Store.create(folder, len(probe))
            about = {
                "schema": SCHEMA,
                "modality": encoder.modality.name,
                "encoder": encoder.settings(),
                "probe": probe.tolist(),
            }
            with atomic_write(folder / ABOUT) as file:  # written last: it marks the index as complete
                file.write(json.dumps(about).encode())
        index = cls(folder)
        index.check(encoder)
        return index

    def check(self, encoder: Encoder) -> None:
        """Check that the index was made with this encoder and preprocessing.

        Args:
            encoder: the encoder to compare with the index's.

        Raises:
            ArgumentError: the settings differ, or the encoder represents the probe differently.
        """
        saved, current = self.about["encoder"], encoder.settings()
        if current != saved:
            different = sorted(name for name in {*saved, *current} if saved.get(name) != current.get(name))
            raise ArgumentError(
                f"{self.folder}: made with encoder {saved.get('name')!r}, got {encoder.name!r} with different "
                f"settings (different: {', '.join(different)}); use the same encoder and preprocessing, or create "
                "another index"
            )
        probe = torch.tensor(self.about["probe"])
        distance = 1 - float(torch.cosine_similarity(probe, encoder.encode(_probe(encoder))[0], dim=0))
        if not distance <= SAME:
            raise ArgumentError(
                f"{self.folder}: encoder {encoder.name!r} no longer represents the probe as it did when the "
                f"index was made (cosine distance {distance:.3g}); its weights have changed: create another index"
            )

    def __repr__(self) -> str:
        what = "passages" if self.about["modality"] == "text" else "pictures"
        return f"Index({str(self.folder)!r}, {len(self)} {what}, {self.about['encoder'].get('name')})"

    def __len__(self) -> int:
        return len(self._store)

    def add(
        self,
        encoder: Any,
        source: str | PathLike[str],
        on_file: OnFile | None = None,
        *,
        column: str | None = None,
        **session: Any,
    ) -> Added:
        """Encode the inputs of a source that are new or have changed.

        A file is encoded again if its size or modification time has changed. Finished chunks are kept if the process
        is killed. Long texts are split into passages.

        Args:
            encoder: the encoder that the index was made with.
            source: a folder (with its subfolders), a file, a glob, or a table (Parquet, CSV, JSON lines).
            on_file: called with the number of files or rows done and the total.
            column: column of a table.
            session: arguments of :meth:`Encoder.session`: ``device``, ``precision``, ``batch_size``, ``engine``.

        Raises:
            ArgumentError: another process is writing to the index, or the encoder is not the index's.
            InputError: the source has no inputs of the encoder's modality.
        """
        if not isinstance(source, (str, PathLike)):
            raise ArgumentError(f"expected the path of a folder, file or table, got {type(source).__name__}")
        encoder = ensure(encoder)
        self.check(encoder)
        files = _inputs(encoder, source, column)
        failed: dict[str, str] = {}
        with (
            self._store.writing(),
            encoder.session(**session) as opened,
            warnings.catch_warnings(record=True) as raised,
        ):
            warnings.simplefilter("always", RelaxWarning)
            stored = self._store.stamps()
            root = Path(source).resolve()
            paths = {path for path, _ in stored}
            gone = sorted(path for path in paths if Path(path).is_relative_to(root) and not Path(path).exists())
            stale = _changed_tables(files, stored)
            self._store.delete([*gone, *stale])
            stored = {key: stamp for key, stamp in stored.items() if key[0] not in stale}
            pending = [item for item in files if not item.path.exists() or stored.get(item.key) != stamp_of(item.path)]
            chunks = [pending[start : start + CHUNK] for start in range(0, len(pending), CHUNK)]
            for number, (read, unreadable) in enumerate(read_chunks(encoder, chunks, opened.device)):
                failed.update(unreadable)
                self._commit(encoder, opened, read, {path for path, row in stored if row < 0})
                if on_file is not None:
                    on_file(min((number + 1) * CHUNK, len(pending)), len(pending))
                if number % COMPACTED == COMPACTED - 1:
                    self._store.compact()
        notes = [str(warning.message) for warning in raised if issubclass(warning.category, RelaxWarning)]
        return Added(len(pending) - len(failed), len(files) - len(pending), failed, notes, gone)

    def nearest(self, vector: Tensor | np.ndarray, k: int = 5) -> list[Neighbour]:
        """Find the inputs whose representations have the largest cosine similarity to a vector, best first.

        Args:
            vector: ``(D,)``, not zero.
            k: number of neighbours, at least 1.

        Raises:
            ArgumentError: the vector does not fit the index, or ``k`` is out of range.
        """
        if isinstance(k, bool) or not isinstance(k, int) or k < 1:
            raise ArgumentError(f"expected `k` to be a positive integer, got {k!r}")
        entries, directions = self._directions()
        query = as_vector(vector).float()
        if query.shape != directions.shape[1:]:
            raise ArgumentError(f"expected a vector of length {directions.shape[1]}, got shape {tuple(query.shape)}")
        if not float(query.norm()) > 0:
            raise ArgumentError("expected a nonzero query vector, got the zero vector or NaN")
        query = torch.nn.functional.normalize(query, dim=0)
        best = torch.topk(directions @ query, min(k, len(entries)))
        return [Neighbour(entries[i], s) for i, s in zip(best.indices.tolist(), best.values.tolist(), strict=True)]

    def neighbours(self, encoder: Encoder, query: str | PathLike[str], k: int = 5) -> list[Neighbour]:
        """Find the nearest neighbours of an input, best first, without the input itself.

        Args:
            encoder: the encoder that the index was made with.
            query: path of a picture or text file; for an encoder of texts a string is the text itself.
            k: number of neighbours.
        """
        vector = encoder.encode(query)[0]
        if encoder.modality.name == "text" and isinstance(query, str):
            return self.nearest(vector, k)
        own_path = str(Path(query).resolve())
        own = sum(entry.path == own_path for entry in self._directions()[0])
        return [neighbour for neighbour in self.nearest(vector, k + own) if neighbour.path != own_path][:k]

    def duplicates(self, threshold: float = 0.95) -> list[tuple[str, str, float]]:
        """Find pairs of inputs whose cosine similarity reaches a threshold, the most similar first.

        Args:
            threshold: in (0, 1].

        Returns:
            ``(name, other name, cosine)``, each pair once: the paths of pictures, or passages as ``path:start-stop``.

        Raises:
            ArgumentError: the threshold is out of range.
        """
        return [(a.name, b.name, cosine) for a, b, cosine in self.close_pairs(threshold)]

    def close_pairs(self, threshold: float) -> list[tuple[Entry, Entry, float]]:
        """Find pairs of entries whose cosine similarity reaches a threshold, the most similar first.

        Args:
            threshold: in (0, 1].

        Raises:
            ArgumentError: the threshold is out of range.
        """
        if isinstance(threshold, str) or not 0 < threshold <= 1:
            raise ArgumentError(f"expected `threshold` in (0, 1], got {threshold!r}")
        entries, directions = self._directions()
        pairs = []
        for start in range(0, len(entries), ROWS):
            cosines = directions[start : start + ROWS] @ directions[start:].T
            close = torch.triu(cosines >= threshold - 1e-6, diagonal=1)
            for row, column in close.nonzero().tolist():
                cosine = min(float(cosines[row, column]), 1.0)
                pairs.append((entries[start + row], entries[start + column], cosine))
        return sorted(pairs, key=lambda pair: -pair[2])

    def _directions(self) -> tuple[list[Entry], Tensor]:
        """Entries and normalised representations, ``(N, D)`` float32."""
        return self._store.directions(len(self.about["probe"]))

    def _commit(self, encoder: Encoder, session: Session, read: Sequence[Read], stored: Collection[str]) -> None:
        """Encode a chunk and write it to the store in one commit."""
        if not read:
            return
        vectors = encoder.represent(session, [item.prepared for item in read]).cpu()
        session.check_finite()
        self._store.put(read, vectors, stored)


def _probe(encoder: Encoder) -> Any:
    """The input by which encoders are told apart."""
    probe = encoder.modality.probe()
    if probe is None:
        raise ArgumentError(
            f"an index needs an encoder of pictures or texts, got one of {encoder.modality.name} inputs"
        )
    return probe


def _inputs(encoder: Encoder, source: str | PathLike[str], column: str | None) -> list[Found]:
    """The inputs of a source: files, or cells of a table."""
    opened = source_of(Path(source), encoder.modality, column)
    items = (opened[position] for position in range(len(opened)))
    table = Path(source).resolve()
    return [
        Found(item.value, -1, item.value) if item.row is None else Found(table, item.row, item.value) for item in items
    ]


def _changed_tables(files: Sequence[Found], stored: Mapping[Key, Stamp]) -> list[str]:
    """Tables that have changed since they were stored; all their rows are read again."""
    tables = {str(item.path): stamp_of(item.path) for item in files if item.row >= 0}
    return sorted({path for (path, row), stamp in stored.items() if row >= 0 and tables.get(path, stamp) != stamp})


def _read_about(folder: Path) -> dict[str, Any]:
    """Read and check the description of an index."""
    try:
        about = json.loads((folder / ABOUT).read_text())
    except FileNotFoundError:
        raise InputError(f"{folder}: no index here; create one with `relax index FOLDER --out {folder}`") from None
    except (OSError, ValueError) as error:
        raise InputError(f"{folder / ABOUT}: cannot be read: {error}") from error
    schema = about.get("schema") if isinstance(about, dict) else None
    if schema != SCHEMA:
        raise InputError(
            f"{folder}: expected an index of schema {SCHEMA}, got schema {schema}; build the index again with this "
            "version of relax"
        )
    if not {"encoder", "probe", "modality"} <= set(about):
        raise InputError(f"{folder / ABOUT}: is damaged; build the index again in another folder")
    return dict(about)
