"""The record of a run: a line for every explained input, encoder and method, kept as soon as it is done."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from relax._support.atomic import atomic_write
from relax._support.extras import require
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
        self._settings = json.loads(json.dumps(settings))
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._check(folder / "run.json", self._settings)
            self._read()
            self._lock = require("filelock", extra="evaluate").FileLock(folder / ".lock", timeout=0)
        except OSError as error:
            raise ArgumentError(f"{folder}: cannot be used for results: {error.strerror}; choose another") from error

    def __enter__(self) -> Journal:
        """Write alone."""
        try:
            self._lock.acquire()
        except TimeoutError:
            raise ArgumentError(f"{self.path.parent}: another process is at work on this run; wait for it") from None
        return self

    def __exit__(self, *_: object) -> None:
        self._lock.release()

    def has(self, key: Key, mark: str) -> bool:
        """Whether a line is there, and of the encoder as it is."""
        return key in self.done and self.done[key].get("mark", mark) == mark

    def append(self, line: dict[str, Any]) -> None:
        """Keep a line; it is on the disk when this returns."""
        about = self.path.parent / "run.json"
        if not about.exists():  # a run that began with an error leaves nothing that others must agree with
            with atomic_write(about) as file:
                file.write(json.dumps(self._settings, indent=1).encode())
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
