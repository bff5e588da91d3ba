"""The record of a run: a line for every explained input, encoder and method, kept as soon as it is done."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from relax.atomic import atomic_write
from relax.errors import ArgumentError, InputError

Key = tuple[str, str, str, str]
"""Data set, input, encoder, method."""


class Journal:
    """Appends lines to ``journal.jsonl`` in a folder; a run that was cut off goes on after its last whole line.

    Args:
        folder: made if it is not there.
        settings: what must be the same for lines to belong together; kept in ``run.json``.

    Raises:
        ArgumentError: the folder holds a run with other settings, or cannot be written.
    """

    def __init__(self, folder: Path, settings: dict[str, Any]) -> None:
        self.path = folder / "journal.jsonl"
        self.done: dict[Key, dict[str, Any]] = {}
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._check(folder / "run.json", json.loads(json.dumps(settings)))
            self._read()
        except OSError as error:
            raise ArgumentError(f"{folder}: cannot be used for results: {error.strerror}; choose another") from error

    def append(self, line: dict[str, Any]) -> None:
        """Keep a line; it is on the disk when this returns."""
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")
            file.flush()
            os.fsync(file.fileno())
        self.done[self.key(line)] = line

    def lines(self) -> Iterator[dict[str, Any]]:
        """All lines, in the order in which they were done."""
        yield from self.done.values()

    @staticmethod
    def key(line: dict[str, Any]) -> Key:
        """What a line is about."""
        return (line["dataset"], line["input"], line["encoder"], line["method"])

    def _check(self, path: Path, settings: dict[str, Any]) -> None:
        if not path.exists():
            with atomic_write(path) as file:
                file.write(json.dumps(settings, indent=1).encode())
            return
        try:
            before = json.loads(path.read_text())
        except ValueError as error:
            raise InputError(f"{path}: is damaged ({error}); choose another output folder") from error
        for name, value in settings.items():
            if before.get(name) != value:
                raise ArgumentError(
                    f"{path.parent}: holds a run with {name} = {before.get(name)!r}, not {value!r}; "
                    "choose another output folder, or the same settings to go on"
                )

    def _read(self) -> None:
        if not self.path.exists():
            return
        content = self.path.read_bytes()
        whole = content.rfind(b"\n") + 1
        if whole < len(content):  # cut off while it was written
            with self.path.open("r+b") as file:
                file.truncate(whole)
        for number, text in enumerate(content[:whole].splitlines(), start=1):
            try:
                line = json.loads(text)
                self.done[self.key(line)] = line
            except (ValueError, KeyError, TypeError) as error:
                raise InputError(f"{self.path}: line {number} is damaged; remove it, and it is done again") from error
