"""Entries of an index: files, rows of tables, and passages of them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from relax.modalities import Modality
from relax.modalities.parts import chosen


@dataclass(frozen=True)
class Entry:
    """What one representation of an index is of.

    Attributes:
        path: path of the file.
        row: number of the row in a table; −1 for a file that is no table.
        start: first character of a passage; −1 for a whole input.
        stop: end of a passage; −1 for a whole input.
        text: the passage; ``None`` for inputs that are no texts.
    """

    path: str
    row: int = -1
    start: int = -1
    stop: int = -1
    text: str | None = None

    def source(self, modality: Modality) -> Any:
        """The input itself: the passage, the row of a table or array, or the path of the file.

        Args:
            modality: reads the file.

        Raises:
            InputError: the file can no longer be read, or has no such row.
        """
        if self.text is not None:
            return self.text
        parts = modality.parts_of(Path(self.path)) if self.row >= 0 else None
        return Path(self.path) if parts is None else chosen(parts, Path(self.path), self.row, modality.name)

    @property
    def name(self) -> str:
        """Path with the row and the span of the passage: ``manual.txt:120-543``, ``notes.csv#3:0-80``."""
        row = f"#{self.row}" if self.row >= 0 else ""
        return f"{self.path}{row}" + (f":{self.start}-{self.stop}" if self.start >= 0 else "")
