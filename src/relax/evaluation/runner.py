"""``evaluate()``: from a data set, encoders, methods and metrics to a tidy table."""

from __future__ import annotations

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
from relax.evaluation.base import Metric
from relax.evaluation.journal import Journal
from relax.evaluation.judging import Judge, RunSettings, file_name, mark_of
from relax.evaluation.metrics import DEFAULT, METRICS
from relax.evaluation.plans import ARGUMENTS, Plan
from relax.evaluation.showing import html_of, png_of, repr_of
from relax.methods import METHODS, Method
from relax.methods import named as methods_by_name

PICTURED = 4
"""Number of inputs whose explanations are saved for the report."""

Job = tuple[Dataset, int, int, str, str]
"""Data set, index, position in the run, encoder, method."""

OnJob = Callable[[int, int, str], None]
"""Called with the number of jobs done, the total, and a description of the last job."""

USUAL = ("relax-regression", "relax", "smoothgrad", "saliency", "lafam", "occlusion", "random")
"""Methods that are compared by default."""


@dataclass(frozen=True, eq=False)
class Evaluation:
    """Results of a run.

    Attributes:
        folder: folder of the run.
        rows: one row per data set, input, encoder, method and metric: ``value`` (NaN if undefined, or if the method
            failed, with a ``note``), and the cost of the explanation: forwards, backwards, seconds.
        skipped: reasons for inputs that could not be read, by input.
        lines: lines of the journal, one per explanation: all metrics and the curves.
    """

    folder: Path
    rows: pd.DataFrame
    skipped: dict[str, str]
    lines: list[dict[str, Any]]

    @cached_property
    def summary(self) -> pd.DataFrame:
        """One row per encoder, metric and method: mean, interval, rank, cost."""
        return statistics.summary(self.rows)

    @cached_property
    def ood(self) -> pd.DataFrame:
        """How well the mean uncertainty distinguishes two data sets (AUROC); empty for one data set."""
        return statistics.ood_table(self.rows)

    def html(self) -> str:
        """Self-contained HTML for notebooks: means of every method and metric, intervals under the pointer."""
        return html_of(self)

    _repr_html_ = html
    _repr_png_ = png_of
    __repr__ = repr_of


def evaluate(
    dataset: str | Dataset,
    encoders: Sequence[Any] | Mapping[str, Any] = ("efficientnet-lite0",),
    methods: Sequence[str | Method] = USUAL,
    metrics: Sequence[str | Metric] = DEFAULT,
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
    """Evaluate methods on the same inputs, encoders and metrics.

    Args:
        dataset: a name from ``relax list datasets``, or any object with ``name``, ``len``, ``id(i)`` and ``[i]``, and
            with ``stamp(i)`` if a sample may change under its name.
        encoders: names for :func:`relax.load_encoder`, Encoders, modules or callables; or a mapping of names to them.
        methods: names from ``relax list methods``, or method instances; further instances of one method get a
            numeric suffix.
        metrics: names from ``relax list metrics``, or metrics, which are registered under their names.
        n: number of inputs, drawn at random; ``None`` for all.
        seed: seed for the choice of inputs, synthetic scenes, the masks and the metrics.
        out: folder of the run. An interrupted run is continued. Inputs, encoders and methods may be added to a run; all
            other settings, and the options of its methods, must stay the same.
        budget: forward passes per method, for methods with an adjustable number; a backward pass counts as two, and
            the forward pass of the intact input is not counted. Rounded to whole blocks of masks (128 for a 7x7
            grid). ``None`` for each method's default.
        ood: another data set, to measure how well the mean uncertainty distinguishes its inputs from ``dataset``.
        options: parameters and arguments of :class:`relax.Explainer` by method name, such as
            ``{"smoothgrad": {"n_samples": 16}, "relax": {"n_masks": 512}}``; they override the budget.
        on_job: called after each input, encoder and method.
        arguments: further arguments of :class:`relax.Explainer`, for all methods.

    Returns:
        An :class:`Evaluation`; ``rows.csv`` and, with pyarrow, ``rows.parquet`` are in its folder.

    Raises:
        ArgumentError: a name or argument is invalid, or the folder holds a run with different settings.
        InputError: the data set does not exist, or none of its inputs can be read.
    """
    methods = [methods] if isinstance(methods, (str, Method)) else list(methods)
    given = [metrics] if isinstance(metrics, (str, Metric)) else metrics
    measured = [_metric(metric) for metric in given]
    by_name = methods_by_name(methods)
    names = list(by_name)
    options = dict(options or {})
    _check(names, measured, budget, options, arguments, n, seed)
    plans = {name: Plan.of(method, options.get(name, {})) for name, method in by_name.items()}
    sets = [open_dataset(d, seed) if isinstance(d, str) else d for d in (dataset, ood) if d is not None]
    if len({source.name for source in sets}) < len(sets):
        raise ArgumentError(f"expected `ood` to be another data set than {sets[0].name!r}, got the same")
    run = RunSettings(sets[0].name, tuple(measured), seed, budget, plans, arguments)
    loaded = named(encoders)
    marks = {name: mark_of(encoder) for name, encoder in loaded.items()}
    jobs = list(_jobs(sets, loaded, names, n, seed))
    judge = Judge(loaded, run)
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
    """Run the jobs that are not in the journal yet.

    Returns:
        Reasons for inputs that could not be read, by input.
    """
    skipped: dict[str, str] = {}
    last_read: tuple[str, str] | None = None
    for number, (source, index, position, encoder, method) in enumerate(jobs):
        name = source.id(index)
        main = source is sets[0]
        label = name if main else f"{source.name}: {name}"
        key = (source.name, name, encoder, method)
        mark = " ".join(filter(None, (marks[encoder], _stamp(source, index))))
        if not journal.has(key, mark) and label not in skipped:
            try:
                if last_read != (source.name, name):
                    sample, last_read = source[index], (source.name, name)
                    _check_mask(sample, judge.run.metrics if main else ())
            except InputError as error:
                skipped[label] = str(error)
            else:
                ood_metrics = ("mean-uncertainty",) if len(sets) > 1 else ()
                metrics = tuple(dict.fromkeys((*judge.run.metrics, *ood_metrics))) if main else ood_metrics
                map_file = journal.path.parent / "maps" / file_name(key) if position < PICTURED else None
                line = judge.line(encoder, method, sample, metrics, _seed(judge.run.seed, index), map_file)
                fields = {"dataset": source.name, "input": name, "encoder": encoder, "method": method}
                journal.append({**fields, "mark": mark, **line})
        if on_job is not None:
            on_job(number + 1, len(jobs), f"{name} {encoder} {method}")
    return skipped


def _stamp(source: Dataset, index: int) -> str:
    """The data set's stamp of a sample, which changes if the sample is replaced; empty without stamps."""
    stamp = getattr(source, "stamp", None)
    return "" if stamp is None else str(stamp(index))


def tidy(lines: list[dict[str, Any]]) -> pd.DataFrame:
    """One row per metric of each line.

    Args:
        lines: lines of the journal.
    """
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
    """All jobs, inputs outermost, so that an interrupted run is balanced."""
    for source in sets:
        for position, index in enumerate(chosen(source, n, seed)):
            for encoder in encoders:
                for method in methods:
                    yield source, index, position, encoder, method


def _metric(metric: str | Metric) -> str:
    """The name of a metric; a metric object is registered under its name.

    Raises:
        ArgumentError: it is no metric, or another metric has this name.
    """
    if isinstance(metric, str):
        return metric
    if isinstance(metric, type) or not (isinstance(getattr(metric, "name", None), str) and hasattr(metric, "run")):
        raise ArgumentError(f"expected the name of a metric, or a metric with `name` and `run`, got {metric!r}")
    if metric.name in METRICS and METRICS[metric.name] is not metric:
        raise ArgumentError(f"there is another metric {metric.name!r}; give yours a name of its own")
    METRICS.add(metric.name, metric)
    return metric.name


def _check(
    methods: Sequence[str],
    metrics: Sequence[str],
    budget: int | None,
    options: Mapping[str, Mapping[str, Any]],
    arguments: Mapping[str, Any],
    n: Any,
    seed: Any,
) -> None:
    """Validate arguments up front."""
    if not methods or not metrics:
        raise ArgumentError("expected at least one method and one metric")
    for name in metrics:
        METRICS[name]
    for method in options:
        if method not in methods:
            METHODS[method]
            raise ArgumentError(f"options for {method!r}, which is not among the methods: {', '.join(methods)}")
    for label, value in (("n", 0 if n is None else n), ("seed", seed)):
        if isinstance(value, bool) or not isinstance(value, (int, np.integer)):
            raise ArgumentError(f"expected `{label}` to be an integer, got {value!r}")
    if budget is not None and (isinstance(budget, bool) or not isinstance(budget, int) or budget < 1):
        raise ArgumentError(f"expected `budget` to be a positive number of forwards, got {budget!r}")
    for name in arguments:
        if name not in ARGUMENTS:
            raise ArgumentError(f"evaluate() and explain() have no argument {name!r}")
    if arguments.get("fill") is not None:
        fills.ensure(arguments["fill"])
    if isinstance(recipe := arguments.get("masks"), str):
        masks_.MASKS[recipe]


def _check_mask(sample: Sample, metrics: Sequence[str]) -> None:
    """Raise if a sample lacks the object mask that a metric needs."""
    needing = [name for name in metrics if METRICS[name].needs == "mask"]
    if needing and sample.mask is None:
        raise InputError(f"{sample.id}: has no mask, which {', '.join(needing)} need; choose other metrics")


def _seed(seed: int, index: int) -> int:
    """A distinct seed per input."""
    return int(np.random.SeedSequence([seed, index]).generate_state(1)[0] % 2**31)


def write_rows(evaluation: Evaluation) -> dict[str, Path]:
    """Write ``rows.csv``, and ``rows.parquet`` if pyarrow is installed, to the run's folder.

    Args:
        evaluation: results of a run.

    Returns:
        Paths of the files by their names.
    """
    files = {"rows.csv": evaluation.folder / "rows.csv"}
    with atomic_write(files["rows.csv"]) as file:
        file.write(evaluation.rows.to_csv(index=False).encode())
    if find_spec("pyarrow") is not None:
        files["rows.parquet"] = evaluation.folder / "rows.parquet"
        with atomic_write(files["rows.parquet"]) as file:
            evaluation.rows.to_parquet(file, index=False)
    return files
