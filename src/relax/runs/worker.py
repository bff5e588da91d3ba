"""A worker: reads, explains and reduces inputs to rows, two at a time."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from relax.encoders import load_encoder
from relax.errors import RelaxError, first_line
from relax.explainer import Explainer
from relax.modalities import Modality
from relax.runs.checksums import checksum_of, seed_for
from relax.runs.records import record_of
from relax.runs.sources import Item, as_text

Row = dict[str, Any]
"""A row of a store, by column."""

AT_ONCE = 2
"""Inputs that a worker has in hand: while one is encoded, the next is read, and the map of the last is estimated."""


@dataclass(frozen=True)
class Recipe:
    """How to build an explainer, in this process or another one.

    Attributes:
        encoder: anything :func:`relax.explain` takes; a name is loaded by each worker.
        encoder_options: options of :func:`relax.load_encoder`.
        arguments: arguments of :class:`relax.Explainer`.
        folder: folder that relative paths start from.
        device: where to run; ``"auto"`` for a GPU if there is one, or where the encoder is.
    """

    encoder: Any
    encoder_options: Mapping[str, Any] = field(default_factory=dict)
    arguments: Mapping[str, Any] = field(default_factory=dict)
    folder: Path = Path()
    device: str = "auto"

    def explainer(self) -> Explainer:
        """Load the encoder and check the arguments."""
        encoder = self.encoder
        if isinstance(encoder, str):
            encoder = load_encoder(encoder, device=self.device, **self.encoder_options)
        return Explainer(encoder, device=self.device, **self.arguments)


class Worker:
    """Explains inputs and returns rows.

    Args:
        explainer: explains the inputs.
        folder: folder that relative paths start from.
    """

    def __init__(self, explainer: Explainer, folder: Path) -> None:
        self.explainer, self.folder = explainer, folder

    def rows(self, items: Iterable[Item | None], at_once: int = AT_ONCE) -> Iterator[tuple[Item, Row]]:
        """Explain inputs, in order and in constant memory.

        Args:
            items: the inputs, consumed lazily; ``None`` says that there is none at the moment.
            at_once: number of inputs in hand, each in a thread of its own.
        """
        with self.explainer.held():
            waiting: deque[tuple[Item, Future[Row]]] = deque()
            with ThreadPoolExecutor(at_once, thread_name_prefix="relax-run") as pool:
                try:
                    for item in items:
                        if item is not None:
                            waiting.append((item, pool.submit(self.row, item)))
                        if len(waiting) > at_once or (waiting and item is None):
                            first, row = waiting.popleft()
                            yield first, row.result()
                    while waiting:
                        first, row = waiting.popleft()
                        yield first, row.result()
                finally:
                    for _, row in waiting:
                        row.cancel()

    def row(self, item: Item) -> Row:
        """Explain one input; one that cannot be explained has a reason in its row."""
        modality = self.explainer.encoder.modality
        row: Row = {"key": item.key, "row": item.row}
        try:
            path = path_of(item.value, modality, self.folder)
            row |= {"path": None if path is None else as_text(str(path))} | stamp_of(path)
            row["checksum"] = checksum_of(item.value if path is None else path)
            source = modality.of_cell(item.value, self.folder)
            e = self.explainer.run(source, seed=seed_for(self.explainer.seed, row["checksum"]))
            return row | record_of(e)
        except RelaxError as error:
            return row | {"reason": first_line(error)}
        except Exception as error:  # noqa: BLE001 - a decoder or a model may raise anything; the reason is kept
            return row | {"reason": f"{type(error).__name__}: {first_line(error)}"}


def path_of(value: Any, modality: Modality, folder: Path) -> Path | None:
    """Absolute path of the file of an input; ``None`` for other inputs.

    Args:
        value: the input, or the cell of a table that holds it.
        modality: says whether a string is a path.
        folder: folder that relative paths start from.
    """
    if isinstance(value, str) or (isinstance(value, Mapping) and not value.get("bytes")):
        value = modality.of_cell(value, folder)
    return Path(value).absolute() if isinstance(value, os.PathLike) else None


def stamp_of(path: Path | None) -> Row:
    """Size and modification time of a file, as columns of a row; empty without a file, or if it is missing."""
    try:
        status = None if path is None else path.stat()
    except OSError:
        status = None
    return {} if status is None else {"size": status.st_size, "modified": status.st_mtime_ns}
