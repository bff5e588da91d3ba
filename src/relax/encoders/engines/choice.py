"""Choose the engine of a run: export, check against PyTorch, measure, remember."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from relax.encoders.engines.base import PRECISIONS_OF, TORCH, EngineFailure, Runner, attempt, installed
from relax.encoders.engines.graph import ROWS, Fingerprint, exported, fingerprint, megabytes, unexportable
from relax.encoders.engines.runners import runner
from relax.encoders.precision import TOLERANCE, error_to_spread
from relax.modalities.batches import Batch

PROBES = 8
"""Number of masked inputs that a low precision or an engine is checked on, before it is used."""

WARM_UP = 3
"""The first of them, which are not timed; also another batch size than the rest, and than the exported one."""

EXACT = 1e-3
"""Largest error of an engine's float32 representations, relative to their spread."""

GAINS = {"depthwise": 1.5, "bfloat16": 1.3, "dense": 1.1}
"""Speed-up expected before it is measured, at the lower end of docs/speed.md: of models with depthwise convolutions, in
bfloat16 (by OpenVINO over PyTorch), and of all others."""

NOISE_SECONDS = 0.2
"""Shorter times are taken twice, for the faster one."""

EXPORT_SECONDS, EXPORT_MEGABYTES = 0.5, 100.0
"""Expected cost of an export: seconds, and megabytes of weights a second; twice what was measured."""

KEPT = 2
"""Number of graphs that an encoder keeps; each holds a copy of its weights."""

_guard = threading.Lock()
"""Exports are done one at a time: they set states of PyTorch."""


@dataclass(frozen=True)
class Work:
    """What a session is going to encode.

    Attributes:
        rows: expected number of rows.
        inside: why PyTorch itself must encode them, such as gradients; ``None`` if it need not.
    """

    rows: int
    inside: str | None = None


@dataclass(frozen=True)
class Task:
    """One choice of an engine.

    Attributes:
        model: the encoder's model.
        represent: maps the model's input to ``(N, D)``, without conversions, for the export.
        encode: encodes a batch in PyTorch in a precision.
        probe: maps a number to a batch of at most that many of the inputs to be encoded.
        engine: the engine asked for.
        asked: the precision asked for.
        precision: the precision that PyTorch uses.
        work: what is going to be encoded.
        note: tells the user, once a run, why the engine asked for is not used.
    """

    model: Any
    represent: Callable[[Tensor], Tensor]
    encode: Callable[[Tensor, str], Tensor]
    probe: Callable[[int], Batch]
    engine: str
    asked: str
    precision: str
    work: Work
    note: Callable[[str], None]

    @property
    def named(self) -> bool:
        """Whether the user named the engine."""
        return self.engine != "auto"

    def candidates(self) -> Iterator[tuple[str, str]]:
        """Engines to try, with the precision of each."""
        for engine in (self.engine,) if self.named else installed():
            if self.precision in PRECISIONS_OF[engine]:
                yield engine, self.precision
            elif self.asked == "auto":
                yield engine, "float32"


@dataclass
class Kept:
    """The outcome of a choice: a runner, or ``None`` for PyTorch, and the reason if it failed."""

    origin: Fingerprint
    runner: Runner | None
    reason: str | None = None


@dataclass
class Usage:
    """Work done by PyTorch on inputs of one shape: rows and seconds in total, and seconds since the last choice."""

    rows: int = 0
    seconds: float = 0.0
    since: float = 0.0


@dataclass
class Engines:
    """The graphs of one encoder, by input shape, threads, engine and precision; remembered for the process."""

    kept: OrderedDict[Any, Kept] = field(default_factory=OrderedDict)
    usage: dict[Any, Usage] = field(default_factory=dict)

    def __deepcopy__(self, memo: Any) -> Engines:
        return Engines()

    def __reduce__(self) -> tuple[type[Engines], tuple[()]]:
        return Engines, ()

    def spend(self, shape: Any, rows: int, seconds: float) -> None:
        """Record work of PyTorch, which tells how much an engine would save."""
        usage = self.usage.setdefault((shape, torch.get_num_threads()), Usage())
        usage.rows += rows
        usage.seconds += seconds
        usage.since += seconds

    def choose(self, task: Task) -> Runner | None:
        """The runner to use for a task; ``None`` for PyTorch."""
        candidates = list(task.candidates()) if task.engine != TORCH else []
        if not candidates and not task.named:
            return None
        reason = task.work.inside or unexportable(task.model)
        if not candidates and reason is None:
            reason = f"it does not compute in {task.precision}"
        rows = task.probe(ROWS) if reason is None else None
        if rows is not None and not (isinstance(rows, Tensor) and rows.is_floating_point()):
            reason = "its input is not one tensor of numbers"
        elif rows is not None and len(rows) < ROWS:
            reason = "there are too few inputs to check it on"
        if reason is not None:
            if task.named:
                task.note(reason)
            return None
        with _guard:
            return self._remembered(task, candidates, rows)  # type: ignore[arg-type]

    def _remembered(self, task: Task, candidates: list[tuple[str, str]], rows: Tensor) -> Runner | None:
        """The runner chosen before, if the model is still the same; else a new choice."""
        shape, threads = tuple(rows.shape[1:]), torch.get_num_threads()
        key = (shape, threads, task.engine, task.asked, task.precision)
        kept, origin = self.kept.get(key), fingerprint(task.model)
        if kept is not None and kept.origin == origin and _agrees(task, kept.runner, rows):
            self.kept.move_to_end(key)
            if kept.reason is not None and task.named:
                task.note(kept.reason)
            return kept.runner
        usage = self.usage.get((shape, threads), Usage())
        if not task.named and not _pays_back(task, usage, changed=kept is not None):
            return None
        usage.since = 0.0
        self.kept.pop(key, None)  # before another graph is made
        while len(self.kept) >= KEPT:
            self.kept.popitem(last=False)
        chosen = self.kept[key] = _measured(task, candidates, origin)
        if chosen.reason is not None:
            task.note(chosen.reason)
        return chosen.runner


def _agrees(task: Task, runner: Runner | None, rows: Tensor) -> bool:
    """Whether a remembered runner still gives PyTorch's representations of the first inputs, and so the same model."""
    if runner is None:
        return True
    try:
        found = attempt(runner, rows.clone())
    except EngineFailure:
        return False
    return error_to_spread(task.encode(rows.clone(), "float32"), found) <= tolerance(runner.precision)


def tolerance(precision: str) -> float:
    """Largest error of representations that an engine may have, relative to their spread."""
    return EXACT if precision == "float32" else TOLERANCE


def _pays_back(task: Task, usage: Usage, changed: bool) -> bool:
    """Whether an export saves more than it costs, judged by the rows to come and the time spent on earlier ones."""
    if usage.rows < PROBES:
        return False
    seconds = usage.seconds / usage.rows
    total = max(task.work.rows, 0) * seconds + (0.0 if changed else usage.since)
    cost = EXPORT_SECONDS + megabytes(task.model) / EXPORT_MEGABYTES + 3 * PROBES * seconds
    return total * (1 - 1 / _expected_gain(task)) > cost


def _expected_gain(task: Task) -> float:
    """Speed-up to expect of an engine, by the kind of model and the precision."""
    if any(isinstance(module, nn.Conv2d) and module.groups > 1 for module in task.model.modules()):
        return GAINS["depthwise"]
    return GAINS["bfloat16" if ("openvino", "bfloat16") in task.candidates() else "dense"]


def _measured(task: Task, candidates: list[tuple[str, str]], origin: Fingerprint) -> Kept:
    """Export the model, check and time it in every engine, and keep the fastest."""
    rows: Any = task.probe(PROBES)
    exact, least = _timed(lambda part: task.encode(part, "float32"), rows)
    if task.precision != "float32" and not task.named:
        _, least = _timed(lambda part: task.encode(part, task.precision), rows)
    best: Runner | None = None
    reasons = []
    try:
        graph = attempt(exported, task.model, task.represent, rows[:ROWS])
    except EngineFailure as failure:
        return Kept(origin, None, f"it cannot be exported: {failure}")
    for engine, precision in candidates:
        try:
            made = attempt(runner, engine, graph, precision, torch.get_num_threads())
            found, seconds = attempt(_timed, made, rows)
        except EngineFailure as failure:
            reasons.append(f"{engine} failed: {failure}")
            continue
        error = error_to_spread(exact, found) if found.shape == exact.shape else float("inf")
        if error > tolerance(precision):
            reasons.append(f"{engine} disagrees with PyTorch by {error:.2g} of the representations' spread")
        elif task.named or seconds < least:
            best, least = made, seconds
    return Kept(origin, best, reasons[0] if len(reasons) == len(candidates) else None)


def _timed(encode: Callable[[Tensor], Tensor], rows: Tensor) -> tuple[Tensor, float]:
    """Representations, and the seconds of all but the first."""
    first, rest = rows[:WARM_UP], rows[WARM_UP:]
    parts = [encode(first.clone())]
    if not len(rest):
        return parts[0], _seconds(lambda: encode(first.clone()))
    seconds = _seconds(lambda: parts.append(encode(rest.clone())))
    if seconds < NOISE_SECONDS:
        seconds = min(seconds, _seconds(lambda: encode(rest.clone())))
    return torch.cat(parts), seconds


def _seconds(work: Callable[[], Any]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start
