"""The journal of a run: one line per input, encoder and method, written as soon as it is done."""

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
    """Appends lines to ``journal.jsonl`` in a folder; an interrupted run continues after its last complete line.

    Args:
        folder: folder of the run; created if needed.
        settings: settings that all lines of the run share; stored in ``run.json``. ``"methods"`` holds the options by
            method name; methods may be added to a run.

    Raises:
        ArgumentError: the folder holds a run with different settings, or cannot be written to.
        InputError: a file of the run is damaged.
    """

    def __init__(self, folder: Path, settings: dict[str, Any]) -> None:
        self.path = folder / "journal.jsonl"
        self.done: dict[Key, dict[str, Any]] = {}
        self._settings = json.loads(json.dumps(settings))
        self._settings_written = False
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._check(folder / "run.json", self._settings)
            self._read()
            self._lock = require("filelock", extra="evaluate").FileLock(folder / ".lock", timeout=0)
        except OSError as error:
            reason = error.strerror or error
            raise ArgumentError(f"{folder}: cannot be used for results: {reason}; choose another folder") from error

    def __enter__(self) -> Journal:
        """Take the exclusive right to write.

        Raises:
            ArgumentError: another process is writing.
        """
        try:
            self._lock.acquire()
        except TimeoutError:
            raise ArgumentError(
                f"{self.path.parent}: another process is working on this run; wait until it has finished"
            ) from None
        return self

    def __exit__(self, *_: object) -> None:
        self._lock.release()

    def has(self, key: Key, mark: str) -> bool:
        """Whether a line exists that was computed from the same encoder and sample.

        Args:
            key: data set, input, encoder and method.
            mark: checksum of the encoder, and the sample's stamp if it has one.
        """
        return key in self.done and self.done[key].get("mark", mark) == mark

    def append(self, line: dict[str, Any]) -> None:
        """Write a line; it is on disk when this returns.

        Args:
            line: a JSON-serialisable row with the fields of its key.
        """
        if not self._settings_written:  # with the first line: a run that fails at once binds no settings
            with atomic_write(self.path.parent / "run.json") as file:
                file.write(json.dumps(self._settings, indent=1).encode())
            self._settings_written = True
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")
            file.flush()
            os.fsync(file.fileno())
        self.done[self.key(line)] = line

    def lines(self) -> Iterator[dict[str, Any]]:
        """All lines, in the order in which they were first written."""
        yield from self.done.values()

    @staticmethod
    def key(line: dict[str, Any]) -> Key:
        """Data set, input, encoder and method of a line."""
        return (line["dataset"], line["input"], line["encoder"], line["method"])

    def _check(self, path: Path, settings: dict[str, Any]) -> None:
        """Raise if the folder holds a run with different settings."""
        if not path.exists():
            return
        try:
            saved = json.loads(path.read_text())
        except ValueError as error:
            raise InputError(f"{path}: is damaged ({error}); choose another output folder") from error
        methods = saved.pop("methods", {})
        shared = [name for name in methods if name in settings["methods"]]
        expected = {**saved, **{f"options of {name}": methods[name] for name in shared}}
        asked = {**settings, **{f"options of {name}": settings["methods"][name] for name in shared}}
        settings["methods"] = {**methods, **asked.pop("methods")}
        for name, value in asked.items():
            if expected.get(name) != value:
                raise ArgumentError(
                    f"{path.parent}: holds a run with {name} = {expected.get(name)!r}, not {value!r}; "
                    "choose another output folder, or the same settings to continue the run"
                )

    def _read(self) -> None:
        """Read the lines of an earlier run, and truncate a partial last line."""
        if not self.path.exists():
            return
        content = self.path.read_bytes()
        complete = content.rfind(b"\n") + 1
        if complete < len(content):  # interrupted while writing
            with self.path.open("r+b") as file:
                file.truncate(complete)
        for number, text in enumerate(content[:complete].splitlines(), start=1):
            try:
                line = json.loads(text)
                self.done[self.key(line)] = line
            except (ValueError, KeyError, TypeError) as error:
                raise InputError(
                    f"{self.path}: line {number} is damaged; remove it to have it computed again"
                ) from error
