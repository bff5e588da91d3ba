"""Explain files into a folder: a picture and an archive for each, whole or not at all, by one process at a time."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from math import isnan
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from relax.errors import ArgumentError
from relax.explainer import Explainer
from relax.explanation import Explanation, Failed
from relax.runs.naming import Target

EXISTING = ("refuse", "overwrite", "skip")


@dataclass(frozen=True, eq=False)
class Saved:
    """One input that was explained, or whose results were there.

    Attributes:
        target: the input and its files.
        row: what is said of it: ``input, encoder, method, n_masks, reliability, score, seconds, files``, ...; empty for
            an input that was skipped.
    """

    target: Target
    row: dict[str, Any] = field(default_factory=dict)


@contextmanager
def only_writer(folder: Path) -> Iterator[None]:
    """One process at a time writes into a folder.

    Raises:
        ArgumentError: another one does.
    """
    name = hashlib.sha256(str(folder.resolve()).encode("utf-8", "surrogateescape")).hexdigest()[:16]
    lock = FileLock(Path(tempfile.gettempdir()) / f"relax-{name}.lock", timeout=0)
    try:
        lock.acquire()
    except Timeout:
        raise ArgumentError(f"{folder}: another process is writing to this folder; choose another --out") from None
    except OSError as error:
        raise ArgumentError(
            f"{folder}: cannot be written to: {error.strerror or error}; choose another --out"
        ) from error
    try:
        yield
    finally:
        lock.release()


def explain_files(
    explainer: Explainer, targets: Sequence[Target], *, existing: str = "refuse"
) -> Iterator[Saved | Failed]:
    """Explain each input and write its files; one that cannot be read or encoded does not end the others.

    Args:
        explainer: with everything set.
        targets: inputs and where their results go.
        existing: what to do with results that are there: ``"refuse"`` before any work, ``"overwrite"``, or ``"skip"``
            an input whose files are all there, which continues a run that was cut off.

    Yields:
        A :class:`Saved` for each input in turn, or a :class:`relax.Failed` with the reason.

    Raises:
        ArgumentError: results are there, or cannot be written.
    """
    if existing not in EXISTING:
        raise ArgumentError(f"expected `existing` to be one of {', '.join(EXISTING)}, got {existing!r}")
    if existing == "refuse":
        for target in targets:
            for file in target.files:
                if file.exists():
                    raise ArgumentError(f"{file}: exists; give --overwrite or --skip-existing, or another --out")
    todo = [target for target in targets if not (existing == "skip" and target.done)]
    made = iter(explainer.stream((str(target.source) for target in todo), errors="return"))
    for target in targets:
        if target not in todo:
            yield Saved(target)
            continue
        result = next(made)
        if isinstance(result, Failed):
            yield Failed(target.source, result.error)
        else:
            yield Saved(target, _written(target, result, explainer))


def row_of(source: Path | str, e: Explanation, encoder: str, files: Sequence[Path]) -> dict[str, Any]:
    """What the command line says of an explained input, JSON-able."""
    return {
        "input": str(source),
        "encoder": encoder,
        "method": e.settings["method"],
        "n_masks": e.n_masks,
        "reliability": known(e.reliability),
        "score": known(e.score),
        "against": e.settings["against"],
        "neutral": known(e.neutral) if e.signed else None,
        "seconds": round(e.settings["cost"]["seconds"], 3),
        "files": [str(file) for file in files],
    }


def known(value: float, digits: int = 6) -> float | None:
    """A number for JSON, which has no NaN."""
    return None if isnan(value) else round(value, digits)


def _written(target: Target, e: Explanation, explainer: Explainer) -> dict[str, Any]:
    """Write the files of one input; what is said of it."""
    picture, archive = target.files
    try:
        picture.parent.mkdir(parents=True, exist_ok=True)
        e.plot(picture)
        e.save(archive)  # the last file: a target whose archive is there is done
    except OSError as error:
        place = error.filename or target.stem.parent
        raise ArgumentError(f"{place}: cannot be written: {error.strerror or error}") from error
    return row_of(target.source, e, str(explainer.encoder.name), target.files)
