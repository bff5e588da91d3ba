"""evaluate(): from a data set, encoders, methods and metrics to a tidy table."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from relax import fills
from relax import masks as masks_
from relax._support.atomic import atomic_write
from relax.datasets import Dataset, Sample, chosen, open_dataset
from relax.encoders import Encoder, named
from relax.errors import ArgumentError, InputError
from relax.evaluation import statistics
from relax.evaluation.journal import Journal
from relax.evaluation.judging import Judge, RunSettings, file_name, mark_of
from relax.evaluation.metrics import DEFAULT, METRICS
from relax.explainer import Explainer
from relax.methods import METHODS, Method, ensure

PICTURED = 4
"""Inputs whose explanations are kept whole, for the report."""

Job = tuple[Dataset, int, int, str, str]
"""Data set, index, position in the order, encoder, method."""

OnJob = Callable[[int, int, str], None]
"""Called with jobs done, jobs in all, and what was done."""


@dataclass(frozen=True, eq=False)
class Evaluation:
    """What a run found.

    Attributes:
        folder: where it is kept.
        rows: a row for each data set, input, encoder, method and metric: ``value`` (NaN where there is none, with a
            ``note``), and the cost of the explanation: forwards, backwards, seconds.
        skipped: inputs that could not be read, and why.
        lines: the journal: rows grouped by explanation, with curves.
    """

    folder: Path
    rows: pd.DataFrame
    skipped: dict[str, str]
    lines: list[dict[str, Any]]

    @cached_property
    def summary(self) -> pd.DataFrame:
        """A row for each encoder, metric and method: mean, interval, rank, cost."""
        return statistics.summary(self.rows)

    @cached_property
    def ood(self) -> pd.DataFrame:
        """How well the mean uncertainty tells two data sets apart; empty for one data set."""
        return statistics.ood_table(self.rows)


def evaluate(
    dataset: str | Dataset,
    encoders: Sequence[Any] | Mapping[str, Any] = ("efficientnet-lite0",),
    methods: Sequence[str | Method] = ("relax-fine", "relax", "smoothgrad", "saliency", "lafam", "occlusion", "random"),
    metrics: Sequence[str] = DEFAULT,
    *,
    n: int | None = 24,
    seed: int = 0,
    out: str | Path = "relax-out/evaluation",
    budget: int | None = None,
    ood: str | Dataset | None = None,
    options: Mapping[str, Mapping[str, Any]] | None = None,
    on_job: OnJob | None = None,
    **arguments: Any,
) -> Evaluation:
    """Judge methods on the same inputs, encoders and metrics.

    Args:
        dataset: a name from ``relax list datasets``, or anything with ``name``, ``len``, ``id(i)`` and ``[i]``, and
            ``stamp(i)`` if samples may change under their names.
        encoders: names for :func:`relax.load_encoder`, Encoders, modules or callables; or a mapping of names to them.
        methods: names from ``relax list methods``, or methods with their parameters.
        metrics: names from ``relax list metrics``.
        n: inputs, chosen at random by the seed; ``None`` for all.
        seed: of the choice, the scenes, the masks and the metrics.
        out: folder of the run. One that was cut off goes on where it was; more inputs, encoders and methods may be
            added to a run, everything else must be the same.
        budget: forwards that each method may use, a backward counted as two, where the method has a number to choose;
            in whole blocks of masks (128 for a 7x7 grid), the whole input not counted; ``None`` for each method's own
            default.
        ood: another data set: how well the mean uncertainty tells its inputs from those of ``dataset``.
        options: of each method, by its name: ``{"smoothgrad": {"n_samples": 16}}``; they come before the budget.
        on_job: called after each explained input, encoder and method.
        arguments: of :class:`relax.Explainer`, for all methods.

    Returns:
        An :class:`Evaluation`; ``rows.csv`` and, with pyarrow, ``rows.parquet`` are in its folder.

    Raises:
        ArgumentError: a name is unknown, or the folder holds a run with other settings.
        InputError: the data set is not there, or none of its inputs can be read.
    """
    asked = [methods] if isinstance(methods, (str, Method)) else list(methods)
    metrics = [metrics] if isinstance(metrics, str) else list(metrics)
    own = {m.name: m for m in asked if isinstance(m, Method)}
    names = [m.name if isinstance(m, Method) else m for m in asked]
    options = {name: dict(some) for name, some in (options or {}).items()}
    _check(names, metrics, budget, options, arguments, own)
    sets = [open_dataset(d, seed) if isinstance(d, str) else d for d in (dataset, ood) if d is not None]
    if len({source.name for source in sets}) < len(sets):
        raise ArgumentError(f"expected another data set than {sets[0].name!r} as `ood`")
    run = RunSettings(sets[0].name, tuple(metrics), seed, budget, _described_options(options, own), arguments)
    loaded = named(encoders)
    marks = {name: mark_of(encoder) for name, encoder in loaded.items()}
    jobs = list(_jobs(sets, loaded, names, n, seed))
    judge = Judge(loaded, run, {name: own.get(name) or ensure(name, dict(options.get(name, {}))) for name in names})
    with Journal(Path(out), run.settings()) as journal:
        skipped = _work(journal, jobs, sets, judge, marks, on_job)
        lines = list(journal.lines())
    if not lines:
        raise InputError(next(iter(skipped.values())))
    evaluation = Evaluation(Path(out), tidy(lines), skipped, lines)
    write_rows(evaluation)
    return evaluation


def _work(
    journal: Journal,
    jobs: list[Job],
    sets: list[Dataset],
    judge: Judge,
    marks: Mapping[str, str],
    on_job: OnJob | None,
) -> dict[str, str]:
    """Do what is not done yet; returns the inputs that could not be read, and why."""
    skipped: dict[str, str] = {}
    read: tuple[str, str] | None = None
    for number, (source, index, position, encoder, method) in enumerate(jobs):
        name = source.id(index)
        main = source is sets[0]
        label = name if main else f"{source.name}: {name}"
        key = (source.name, name, encoder, method)
        mark = " ".join(filter(None, (marks[encoder], _stamp(source, index))))
        if not journal.has(key, mark) and label not in skipped:
            try:
                if read != (source.name, name):
                    sample, read = source[index], (source.name, name)
                    _check_mask(sample, judge.run.metrics if main else ())
            except InputError as error:
                skipped[label] = str(error)
            else:
                more = ("mean-uncertainty",) if len(sets) > 1 else ()
                measured = tuple(dict.fromkeys((*judge.run.metrics, *more))) if main else more
                kept = journal.path.parent / "maps" / file_name(key) if position < PICTURED else None
                line = judge.line(encoder, method, sample, measured, _seed(judge.run.seed, index), kept)
                about = {"dataset": source.name, "input": name, "encoder": encoder, "method": method}
                journal.append({**about, "mark": mark, **line})
        if on_job is not None:
            on_job(number + 1, len(jobs), f"{name} {encoder} {method}")
    return skipped


def _stamp(source: Dataset, index: int) -> str:
    """What tells a sample from one that took its name, where the data set knows."""
    stamp = getattr(source, "stamp", None)
    return "" if stamp is None else str(stamp(index))


def tidy(lines: list[dict[str, Any]]) -> pd.DataFrame:
    """A row for each metric of each line."""
    shared = ("dataset", "input", "category", "encoder", "method", "seed", "forwards", "backwards", "seconds", "note")
    return pd.DataFrame(
        [
            {**{name: line[name] for name in shared}, "metric": metric, "value": np.nan if value is None else value}
            for line in lines
            for metric, value in line["values"].items()
        ]
    )


def _jobs(
    sets: list[Dataset], encoders: Mapping[str, Encoder], methods: Sequence[str], n: int | None, seed: int
) -> Iterator[Job]:
    """Inputs outermost, so that a run that is cut off is balanced."""
    for source in sets:
        for position, index in enumerate(chosen(source, n, seed)):
            for encoder in encoders:
                for method in methods:
                    yield source, index, position, encoder, method


def _check(
    methods: Sequence[str],
    metrics: Sequence[str],
    budget: int | None,
    options: Mapping[str, Mapping[str, Any]],
    arguments: Mapping[str, Any],
    own: Mapping[str, Method],
) -> None:
    """Validate arguments up front."""
    if not methods or not metrics:
        raise ArgumentError("expected at least one method and one metric")
    for name in metrics:
        METRICS[name]
    for name in (*methods, *options):
        if name not in own:
            METHODS[name]
    if budget is not None and (isinstance(budget, bool) or not isinstance(budget, int) or budget < 1):
        raise ArgumentError(f"expected `budget` to be a positive number of forwards, got {budget!r}")
    known = set(inspect.signature(Explainer).parameters) - {"encoder", "against", "method", "seed", "options"}
    for name in arguments:
        if name not in known:
            raise ArgumentError(f"evaluate() and explain() have no argument {name!r}")
    for method, some in options.items():
        if method not in methods:
            raise ArgumentError(f"options for {method!r}, which is not among the methods: {', '.join(methods)}")
        ensure(own.get(method, method), dict(some))
    if arguments.get("fill") is not None:
        fills.ensure(arguments["fill"])
    recipe = arguments.get("masks")
    if isinstance(recipe, str):
        masks_.MASKS[recipe]


def _described_options(options: Mapping[str, Any], own: Mapping[str, Method]) -> dict[str, Any]:
    """The parameters of methods, as a run remembers them."""
    return {**options, **{name: {k: repr(v) for k, v in method.options().items()} for name, method in own.items()}}


def _check_mask(sample: Sample, metrics: Sequence[str]) -> None:
    needing = [name for name in metrics if METRICS[name].needs == "mask"]
    if needing and sample.mask is None:
        raise InputError(f"{sample.id}: has no mask, which {', '.join(needing)} need; choose other --metrics")


def _seed(seed: int, index: int) -> int:
    """A seed of its own for each input."""
    return int(np.random.SeedSequence([seed, index]).generate_state(1)[0] % 2**31)


def write_rows(evaluation: Evaluation) -> dict[str, Path]:
    """Write ``rows.csv`` and, where pyarrow is installed, ``rows.parquet`` into the run's folder."""
    files = {"rows.csv": evaluation.folder / "rows.csv"}
    with atomic_write(files["rows.csv"]) as file:
        file.write(evaluation.rows.to_csv(index=False).encode())
    if find_spec("pyarrow") is not None:
        files["rows.parquet"] = evaluation.folder / "rows.parquet"
        with atomic_write(files["rows.parquet"]) as file:
            evaluation.rows.to_parquet(file, index=False)
    return files
