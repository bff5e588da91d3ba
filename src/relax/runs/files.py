"""Explain files into a folder: one picture and one archive per input, written atomically by a single process."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from relax._support.atomic import writable_folder
from relax.errors import ArgumentError, InputError
from relax.explainer import Explainer
from relax.explanation import Explanation, Failed
from relax.modalities.parts import Part
from relax.runs.naming import Target
from relax.runs.rows import explanation_row

EXISTING = ("refuse", "overwrite", "skip")
"""Policies for results that already exist."""


@dataclass(frozen=True, eq=False)
class Saved:
    """An input that was explained, or skipped because its results exist.

    Attributes:
        target: the input and its result files.
        row: summary of the result: ``input, encoder, method, n_masks, reliability, score, seconds, files``, ...; empty
            for a skipped input.
        explanation: the result; ``None`` for a skipped input.
    """

    target: Target
    row: dict[str, Any] = field(default_factory=dict)
    explanation: Explanation | None = None


@contextmanager
def only_writer(folder: Path) -> Iterator[None]:
    """Hold the exclusive right to write to a folder.

    Args:
        folder: the output folder; the lock file lives in the system's temporary folder, not here.

    Raises:
        ArgumentError: another process is writing to the folder, or the lock cannot be created.
    """
    name = hashlib.sha256(str(folder.resolve()).encode("utf-8", "surrogateescape")).hexdigest()[:16]
    lock = FileLock(Path(tempfile.gettempdir()) / f"relax-{name}.lock", timeout=0)
    try:
        lock.acquire()
    except Timeout:
        raise ArgumentError(f"{folder}: another process is writing to this folder; choose another --out") from None
    except OSError as error:
        reason = error.strerror or error
        raise ArgumentError(f"{folder}: cannot lock this folder: {reason}; choose another --out") from error
    try:
        yield
    finally:
        lock.release()


def refuse_existing(files: Iterable[Path], remedy: str = "--overwrite") -> None:
    """Raise if any result file exists.

    Args:
        files: the files that are about to be written.
        remedy: the options that allow existing results, for the error message.

    Raises:
        ArgumentError: one of the files exists.
    """
    for file in files:
        if file.exists():
            raise ArgumentError(f"{file}: exists; give {remedy}, or another --out")


def explain_files(
    explainer: Explainer, targets: Sequence[Target], *, existing: str = "refuse"
) -> Iterator[Saved | Failed]:
    """Explain each input and write its files; an input that cannot be read or encoded does not stop the rest.

    Args:
        explainer: the configured explainer.
        targets: inputs and where their results go.
        existing: what to do with existing results: ``"refuse"`` raises before any work, ``"overwrite"`` replaces them,
            ``"skip"`` skips inputs whose results are complete, to continue an interrupted run.

    Yields:
        A :class:`Saved` for each input in turn, or a :class:`relax.Failed` with the reason.

    Raises:
        ArgumentError: results exist and ``existing`` is ``"refuse"``, existing results are those of another input and
            ``existing`` is ``"skip"``, or results cannot be written.
    """
    if existing not in EXISTING:
        raise ArgumentError(f"expected `existing` to be one of {', '.join(EXISTING)}, got {existing!r}")
    if existing == "refuse":
        refuse_existing((file for target in targets for file in target.files), "--overwrite or --skip-existing")
    done = [existing == "skip" and finished(target, explainer) for target in targets]
    pending = (target.source for target, skipped in zip(targets, done, strict=True) if not skipped)
    results = iter(explainer.stream(pending, errors="return"))
    for target, skipped in zip(targets, done, strict=True):
        if skipped:
            yield Saved(target)
            continue
        result = next(results)
        if isinstance(result, Failed):
            yield Failed(target.source, result.error)
        else:
            yield Saved(target, _write(target, result, explainer), result)


def finished(target: Target, explainer: Explainer) -> bool:
    """Whether an input has its results: both files exist and the archive is intact.

    Args:
        target: the input and where its results go.
        explainer: the configured explainer.

    Raises:
        ArgumentError: the results are those of another input, encoder or method.
    """
    if not target.done:
        return False
    archive = target.files[-1]
    try:
        saved = Explanation.load(archive)
    except InputError:  # damaged: compute it again
        return False
    settings = saved.settings
    if not _explains(saved, target.source):
        source = settings["input"].get("name") or settings["input"]["source"]
        raise ArgumentError(f"{archive}: holds the results of {source}; give --overwrite, or another --out")
    for what, saved, asked in (
        ("method", settings["method"], explainer.method.name),
        ("encoder", settings["encoder"].get("name"), explainer.encoder.settings().get("name")),
    ):
        if saved != asked:
            raise ArgumentError(
                f"{archive}: was made with {what} {saved}, not {asked}; give --overwrite, or another --out"
            )
    return True


def _explains(saved: Explanation, source: Path | Part | str) -> bool:
    """Whether an explanation is that of an input; a file may have moved since."""
    if isinstance(source, str):
        return bool(saved.presentation == source)
    explained = Path(str(saved.settings["input"]["source"]))
    given = Path(str(source))
    moved = explained.name == given.name and not explained.exists() and not isinstance(source, Part)
    return moved or explained.resolve() == given.resolve()


def _write(target: Target, e: Explanation, explainer: Explainer) -> dict[str, Any]:
    """Write the files of one input and return its row."""
    writable_folder(target.stem.parent)
    for file in target.files:  # the archive is written last: it marks the target as done
        if file.suffix == ".html":
            e.page(file)
        elif file.suffix == ".npz":
            e.save(file)
        else:
            e.plot(file)
    return explanation_row(str(target.source), e, str(explainer.encoder.name), target.files)
