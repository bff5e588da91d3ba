"""Results of adding to an index and of searching it."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Added:
    """Outcome of adding a folder.

    Attributes:
        added: number of files that were encoded.
        known: number of files that were already indexed and have not changed.
        failed: for each file that could not be read the reason, by path.
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
    """A picture found by a search.

    Attributes:
        path: path of the file.
        similarity: cosine similarity of its representation to the query's.
    """

    path: str
    similarity: float
