"""Results of adding to an index and of searching it."""

from __future__ import annotations

from dataclasses import dataclass, field

from relax.retrieval.entries import Entry


@dataclass(frozen=True)
class Added:
    """Outcome of adding a source.

    Attributes:
        added: number of files or rows that were encoded.
        known: number of files or rows that were already indexed and have not changed.
        failed: for each input that could not be read the reason, by name.
        noted: warnings raised while reading, such as transparency composited on white.
        gone: files of the folder that no longer exist and were removed from the index.
    """

    added: int
    known: int
    failed: dict[str, str] = field(default_factory=dict)
    noted: list[str] = field(default_factory=list)
    gone: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Neighbour:
    """An input found by a search.

    Attributes:
        entry: what was found.
        similarity: cosine similarity of its representation to the query's.
    """

    entry: Entry
    similarity: float

    @property
    def path(self) -> str:
        """Path of the file."""
        return self.entry.path

    @property
    def text(self) -> str | None:
        """The passage; ``None`` for inputs that are no texts."""
        return self.entry.text
