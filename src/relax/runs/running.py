"""``run()``: explain a whole data set into a store, and go on where an earlier run stopped."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass, field, replace
from operator import itemgetter
from os import PathLike
from pathlib import Path
from typing import Any

import torch

from relax._support.arguments import positive
from relax._support.atomic import writable_folder
from relax._support.extras import require
from relax.errors import ArgumentError
from relax.runs.cluster import Cluster
from relax.runs.manifest import manifest_of
from relax.runs.plan import Plan, planned
from relax.runs.pool import Pool
from relax.runs.sources import Item, Source, source_of
from relax.runs.store import Known, Store
from relax.runs.worker import Recipe, Row, Worker

EXECUTORS = ("local", "ray")
"""Ways to spread the work."""

SHARD = 256
"""Most rows of a shard."""

FLUSHED = 60.0
"""Seconds after which a shard is written, however few rows it has: what a kill can cost."""


@dataclass(frozen=True)
class Progress:
    """How far a run is.

    Attributes:
        done: inputs done in this run, with those that failed.
        total: inputs of this run.
        failed: those that could not be explained.
        seconds: since the first input was taken in hand.
        row: the last row.
    """

    done: int
    total: int
    failed: int
    seconds: float
    row: Mapping[str, Any] = field(repr=False)

    @property
    def rate(self) -> float:
        """Inputs a second."""
        return self.done / self.seconds if self.seconds > 0 else 0.0

    @property
    def remaining(self) -> float:
        """Seconds left at this rate."""
        return (self.total - self.done) / self.rate if self.rate > 0 else float("inf")


OnInput = Callable[[Progress], None]
"""Called after each input."""

Explains = Callable[[Iterator[Item]], Iterable[tuple[Item, Row]]]
"""Explains items, in any order."""


@dataclass(frozen=True)
class Ran:
    """What a run did.

    Attributes:
        folder: the store.
        done: inputs explained in this run.
        failed: inputs of this run that could not be explained; their rows have a reason.
        known: inputs that were in the store already, and have not changed.
        known_failed: of these, those that could not be explained then.
        changed: inputs of this run that had been explained before, and have changed since.
        gone: inputs in the store that the source no longer has, or leaves out with ``every``.
        damaged: shards that were damaged, and whose inputs were explained again; one line each.
        seconds: duration, without loading the encoder.
    """

    folder: Path
    done: int
    failed: int
    known: int
    known_failed: int
    changed: int
    gone: int
    damaged: list[str]
    seconds: float

    @property
    def store(self) -> Store:
        """The store, to read."""
        return Store(self.folder)

    def html(self) -> str:
        """Self-contained HTML for notebooks: what was done, and how reliable the maps of the store are."""
        from relax.runs.showing import html_of

        return html_of(self)

    _repr_html_ = html

    def _repr_png_(self) -> bytes | None:
        from relax.runs.showing import png_of

        return png_of(self)


def run(
    source: Any,
    out: str | PathLike[str],
    encoder: Any = "efficientnet-lite0",
    against: Any = None,
    *,
    column: str | None = None,
    every: int = 1,
    workers: int | None = None,
    executor: str = "local",
    retry_failed: bool = False,
    device: str = "auto",
    encoder_options: Mapping[str, Any] | None = None,
    on_input: OnInput | None = None,
    **arguments: Any,
) -> Ran:
    """Explain every input of a source into a store; a run that was killed goes on where it stopped.

    Args:
        source: a folder (with its subfolders), a glob, a table (Parquet, CSV, TSV, JSON lines) with a column of inputs,
            a data set of the ``datasets`` library (saved or in memory), or a list of inputs. The modality says
            whether strings are paths or texts.
        out: folder of the store; created if needed. It must be empty, or a store of the same settings and encoder.
        encoder: anything :func:`relax.explain` takes; with several workers better a name, which each of them loads.
        against: what to compare inputs with, as in :func:`relax.explain`.
        column: column of a table or data set; may be omitted if there is only one.
        every: take every k-th input of the source.
        workers: number of worker processes; they share out GPUs and CPU cores. ``None``: one for each GPU if there are
            several, else none, and the work is done in this process. Workers also survive inputs that crash a decoder.
        executor: ``"local"``, or ``"ray"`` for a Ray cluster with ``workers`` actors (extra: ray).
        retry_failed: whether to try inputs again that could not be explained.
        device: where to run; ``"auto"`` for a GPU if there is one, or where the encoder is.
        encoder_options: options of :func:`relax.load_encoder`, such as ``{"crop": "center"}``.
        on_input: called after each input.
        arguments: arguments of :class:`relax.Explainer`: ``method=``, ``n_masks=``, ``seed=``, ... Masks are drawn by
            the seed and the checksum of the input, so that rows depend neither on order nor on workers.

    Returns:
        What was done; ``Ran.store.table()`` has the rows.

    Raises:
        ArgumentError: an argument is out of range, the store holds a run with other settings, another run is writing to
            it, or it cannot be written to.
        InputError: the source cannot be read, or the store is damaged.
    """
    require("pyarrow", extra="run")
    every = positive("every", every)
    if executor not in EXECUTORS:
        raise ArgumentError(f"expected `executor` to be one of {', '.join(EXECUTORS)}, got {executor!r}")
    workers = _workers(device) if workers is None else positive("workers", workers)
    recipe = Recipe(encoder, dict(encoder_options or {}), {**arguments, "against": against}, device=device)
    apart = bool(workers) or executor == "ray"
    explainer = (replace(recipe, device="cpu") if apart and isinstance(encoder, str) else recipe).explainer()
    modality = explainer.encoder.modality
    if not modality.one_map:
        raise ArgumentError("expected an encoder of one view; a store keeps one map for each input")
    opened = source_of(source, modality, column)
    recipe = replace(recipe, folder=opened.folder)
    store = Store(writable_folder(Path(out)))
    store.check_own()
    with store.writing():
        began = time.monotonic()
        store.bind(manifest_of(explainer, opened.name))
        known, damaged = store.known()
        plan = planned(opened, every, known, modality, retry_failed)
        _check_changed(store, opened, plan)
        started = _started(recipe, workers, executor) if apart else nullcontext(Worker(explainer, recipe.folder).rows)
        del explainer  # workers have their own
        with started as explain:
            items = (opened[position] for position in plan.pending)
            failed = _work(store, known, explain(items), len(plan.pending), on_input)
        store.summarise({"inputs": len(plan.pending) + plan.known, "failed": failed + plan.known_failed})
    return Ran(
        store.folder,
        done=len(plan.pending) - failed,
        failed=failed,
        known=plan.known,
        known_failed=plan.known_failed,
        changed=plan.changed,
        gone=plan.gone,
        damaged=damaged,
        seconds=time.monotonic() - began,
    )


@contextmanager
def _started(recipe: Recipe, workers: int, executor: str) -> Iterator[Explains]:
    """Start the workers; yields the function that explains items."""
    if executor == "ray":
        yield Cluster(recipe, max(workers, 1)).rows
    else:
        with Pool(recipe, workers) as pool:
            yield pool.rows


def _work(
    store: Store, known: Mapping[str, Known], rows: Iterable[tuple[Item, Row]], total: int, on_input: OnInput | None
) -> int:
    """Write rows as they come; what is ready when the work is interrupted is written too.

    Returns:
        Number of inputs that could not be explained.
    """
    ready: list[tuple[int, Row]] = []
    done = failed = 0
    began = flushed = time.monotonic()

    def flush() -> None:
        store.put([row for _, row in sorted(ready, key=itemgetter(0))], known)
        ready.clear()

    try:
        for item, row in rows:
            ready.append((item.position, row))
            done += 1
            failed += row.get("reason") is not None
            now = time.monotonic()
            if len(ready) >= SHARD or now - flushed >= FLUSHED:
                flush()
                flushed = now
            if on_input is not None:
                on_input(Progress(done, total, failed, now - began, row))
    except BaseException:
        with suppress(ArgumentError):  # such as a disk that is full, which is what the run ends with
            flush()
        raise
    flush()
    return failed


def _check_changed(store: Store, source: Source, plan: Plan) -> None:
    """Refuse to replace the rows of one source by those of another with the same names."""
    made_from = (store.manifest or {}).get("source")
    if plan.changed and made_from != source.name:
        raise ArgumentError(
            f"{store.folder}: holds {plan.changed} inputs of {made_from} that have the names, but not the content, of "
            f"those in {source.name}; choose another --out"
        )


def _workers(device: str) -> int:
    """One worker for each of several GPUs, else none."""
    gpus = torch.cuda.device_count() if device in ("auto", "cuda") and torch.cuda.is_available() else 0
    return gpus if gpus > 1 else 0
