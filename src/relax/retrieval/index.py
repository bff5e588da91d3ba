"""A searchable index of inputs: representations in a vector store on disk.

The store is LanceDB: embedded and columnar, with atomic commits. If indexing is interrupted, each file is stored once
or not at all, and the next run continues. Search is exact: all directions are held in memory, and a single product
with the query compares them.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable, Collection, Sequence
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from relax._support.atomic import atomic_write
from relax._support.extras import require
from relax.encoders import Encoder, Session, ensure
from relax.errors import ArgumentError, RelaxWarning
from relax.modalities.parts import Part
from relax.references.vectors import as_vector
from relax.retrieval.about import ABOUT, about_of, check, read_about
from relax.retrieval.entries import Entry
from relax.retrieval.files import Read, changed_tables, inputs_in, read_chunks, stamp_of
from relax.retrieval.results import Added, Neighbour
from relax.retrieval.store import TABLE, Store

CHUNK = 64
"""Files or rows per commit."""

ROWS = 1024
"""Rows compared with all others at a time when searching for duplicates."""

COMPACTED = 32
"""Number of commits after which the store's files are compacted."""

OnFile = Callable[[int, int], None]
"""Called with the number of files done and the total."""


class Index:
    """Inputs and their representations on disk: pictures, passages of texts, recordings, series, or rows of tables.

    Args:
        folder: folder of the index, as made by :meth:`create`.

    Raises:
        InputError: the folder holds no index, or one of another format version.
    """

    def __init__(self, folder: str | PathLike[str]) -> None:
        self.folder = Path(folder)
        require("lancedb", extra="match")
        self.about = read_about(self.folder)
        self._store = Store(self.folder)

    @classmethod
    def create(cls, folder: str | PathLike[str], encoder: Any, example: Any = None) -> Index:
        """Create an empty index for an encoder, or open the existing one if the same encoder made it.

        Args:
            folder: folder of the index; created if needed.
            encoder: anything :func:`relax.explain` accepts.
            example: one input, for an encoder of series, which does not say how many channels it takes.

        Raises:
            ArgumentError: the folder holds other files, or an index made with another encoder.
        """
        require("lancedb", extra="match")
        require("pyarrow", extra="match")
        encoder, folder = ensure(encoder), Path(folder)
        if not (folder / ABOUT).exists():
            if folder.exists() and any(folder.iterdir()) and not (folder / f"{TABLE}.lance").exists():
                raise ArgumentError(f"{folder}: not empty and no index; choose another folder")
            about = about_of(encoder, example)
            folder.mkdir(parents=True, exist_ok=True)
            Store.create(folder, len(about["probe"]))
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
        check(self.folder, self.about, encoder)

    def __repr__(self) -> str:
        what = {"text": "passages", "image": "pictures", "table": "rows"}.get(self.about["modality"], "inputs")
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
        files = inputs_in(encoder, source, column)
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
            stale = changed_tables(files, stored)
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

    def neighbours(self, encoder: Encoder, query: str | PathLike[str] | Part, k: int = 5) -> list[Neighbour]:
        """Find the nearest neighbours of an input, best first, without the input itself.

        Args:
            encoder: the encoder that the index was made with.
            query: path of a file, or a part of one; for an encoder of texts a string is the text itself.
            k: number of neighbours.
        """
        vector = encoder.encode(query)[0]
        if encoder.modality.name == "text" and isinstance(query, str):
            return self.nearest(vector, k)
        path, row = (query.path, query.row) if isinstance(query, Part) else (Path(query), None)
        own_path = str(path.resolve())

        def is_own(entry: Entry) -> bool:
            return entry.path == own_path and row in (None, entry.row)

        own = sum(is_own(entry) for entry in self._directions()[0])
        return [neighbour for neighbour in self.nearest(vector, k + own) if not is_own(neighbour.entry)][:k]

    def duplicates(self, threshold: float = 0.95) -> list[tuple[str, str, float]]:
        """Find pairs of inputs whose cosine similarity reaches a threshold, the most similar first.

        Args:
            threshold: in (0, 1].

        Returns:
            ``(name, other name, cosine)``, each pair once: paths, ``path#row``, or passages as ``path:start-stop``.

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
