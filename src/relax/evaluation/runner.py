"""evaluate(): from a data set, encoders, methods and metrics to a tidy table."""

from __future__ import annotations

import hashlib
import inspect
import json
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import isnan
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from PIL import Image
from torch import Tensor, nn

from relax import fills
from relax import masks as masks_
from relax.api import explain
from relax.datasets import Dataset, Sample, chosen, open_dataset
from relax.encoders import Encoder, Prepared, named
from relax.errors import ArgumentError, EncoderError, InputError
from relax.evaluation.journal import Journal
from relax.evaluation.metrics import DEFAULT, METRICS
from relax.evaluation.subject import Subject
from relax.explanation import Explanation
from relax.methods import METHODS
from relax.provenance import versions

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


@dataclass(frozen=True)
class Plan:
    """What is to be done; see :func:`evaluate`."""

    dataset: str
    metrics: tuple[str, ...]
    seed: int
    budget: int | None
    arguments: dict[str, Any] = field(default_factory=dict)

    def settings(self) -> dict[str, Any]:
        """What two runs must share for their rows to belong together."""
        kept = {name: value for name, value in vars(self).items() if name != "arguments"}
        return {**kept, "arguments": {k: _described(v) for k, v in self.arguments.items()}, "versions": versions()}


def evaluate(
    dataset: str | Dataset,
    encoders: Sequence[Any] | Mapping[str, Any] = ("efficientnet-lite0",),
    methods: Sequence[str] = ("relax", "smoothgrad", "saliency", "lafam", "occlusion", "random"),
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
        methods: names from ``relax list methods``.
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
        arguments: of :func:`relax.explain`, for all methods.

    Returns:
        An :class:`Evaluation`; ``rows.parquet`` and ``rows.csv`` are in its folder.

    Raises:
        ArgumentError: a name is unknown, or the folder holds a run with other settings.
        InputError: the data set is not there, or none of its inputs can be read.
    """
    methods, metrics = ([names] if isinstance(names, str) else list(names) for names in (methods, metrics))
    _check(methods, metrics, budget, options or {}, arguments)
    sets = [open_dataset(d, seed) if isinstance(d, str) else d for d in (dataset, ood) if d is not None]
    if len({source.name for source in sets}) < len(sets):
        raise ArgumentError(f"expected another data set than {sets[0].name!r} as `ood`")
    arguments = {**arguments, **({"options": {k: dict(v) for k, v in options.items()}} if options else {})}
    plan = Plan(sets[0].name, tuple(metrics), seed, budget, arguments)
    loaded = named(encoders)
    marks = {name: mark_of(encoder) for name, encoder in loaded.items()}
    jobs = list(_jobs(sets, loaded, methods, n, seed))
    with Journal(Path(out), plan.settings()) as journal:
        skipped = _work(journal, jobs, sets, loaded, marks, plan, on_job)
        lines = list(journal.lines())
    if not lines:
        raise InputError(next(iter(skipped.values())))
    return Evaluation(Path(out), tidy(lines), skipped, lines)


def _work(
    journal: Journal,
    jobs: list[Job],
    sets: list[Dataset],
    encoders: Mapping[str, Encoder],
    marks: Mapping[str, str],
    plan: Plan,
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
                    _check_mask(sample, plan.metrics if main else ())
            except InputError as error:
                skipped[label] = str(error)
            else:
                more = ("mean-uncertainty",) if len(sets) > 1 else ()
                measured = tuple(dict.fromkeys((*plan.metrics, *more))) if main else more
                kept = journal.path.parent / "maps" / _file_name(key) if position < PICTURED else None
                line = _judge(encoders[encoder], sample, method, measured, plan, _seed(plan.seed, index), kept)
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
) -> None:
    """Raise for what cannot be, before any work is done."""
    if not methods or not metrics:
        raise ArgumentError("expected at least one method and one metric")
    for name in metrics:
        METRICS[name]
    for name in (*methods, *options):
        METHODS[name]
    if budget is not None and (isinstance(budget, bool) or not isinstance(budget, int) or budget < 1):
        raise ArgumentError(f"expected `budget` to be a positive number of forwards, got {budget!r}")
    known = set(inspect.signature(explain).parameters) - {"encoder", "inputs", "against", "method", "seed", "options"}
    for name in arguments:
        if name not in known:
            raise ArgumentError(f"evaluate() and explain() have no argument {name!r}")
    for method, own in options.items():
        if method not in methods:
            raise ArgumentError(f"options for {method!r}, which is not among the methods: {', '.join(methods)}")
        METHODS[method].options({name: value for name, value in own.items() if name not in known})
    if arguments.get("fill") is not None:
        fills.ensure(arguments["fill"])
    recipe = arguments.get("masks")
    if isinstance(recipe, str):
        masks_.MASKS[recipe]


def mark_of(encoder: Encoder) -> str:
    """A checksum of an encoder's settings and weights: rows of one that has changed are not those of this one."""
    digest = hashlib.sha256(json.dumps(encoder.settings(), sort_keys=True, default=repr).encode())
    if isinstance(encoder.model, nn.Module):
        for name, tensor in encoder.model.state_dict().items():
            digest.update(name.encode())
            if isinstance(tensor, Tensor):
                digest.update(tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()[:16]


def _file_name(key: tuple[str, ...]) -> str:
    """For a map: readable, and different for different keys."""
    words = re.sub(r"[^\w.-]+", "-", "-".join(key[1:]))[:100]
    return f"{words}-{hashlib.sha256(repr(key).encode()).hexdigest()[:8]}.npz"


def _judge(
    encoder: Encoder, sample: Sample, method: str, metrics: tuple[str, ...], plan: Plan, seed: int, kept: Path | None
) -> dict[str, Any]:
    """One explanation and its metrics, as a line of the journal."""
    given = dict(plan.arguments)
    mine = given.pop("options", {}).get(method, {})
    prepared = encoder.prepare(sample.picture)
    if plan.budget is not None:
        mine = {**METHODS[method].within(plan.budget, _n_units(given, encoder, prepared.tensor)), **mine}

    def again(other: Encoder, tensor: Tensor | Prepared, with_seed: int) -> Explanation:
        result = explain(other, tensor, method=method, seed=with_seed, **{**given, **mine})
        return result  # type: ignore[no-any-return]

    line: dict[str, Any] = {"category": sample.category, "seed": seed, "note": "", "curves": {}}
    began = time.perf_counter()
    try:
        explanation = again(encoder, prepared, seed)
    except (ArgumentError, EncoderError) as error:  # such as gradients of a black box
        cost = {"forwards": 0, "backwards": 0, "seconds": time.perf_counter() - began}
        return {**line, **cost, "note": str(error), "values": dict.fromkeys(metrics)}
    if kept is not None:
        kept.parent.mkdir(exist_ok=True)
        explanation.save(kept)
        line["file"] = str(kept.relative_to(kept.parent.parent))
    subject = Subject(encoder, explanation, _mask_as_seen(sample, prepared), again, seed)
    values = {name: METRICS[name].run(subject) for name in metrics}
    line["values"] = {name: None if isnan(value) else value for name, value in values.items()}
    line["curves"] = subject.curves
    return {**line, **{name: explanation.settings["cost"][name] for name in ("forwards", "backwards", "seconds")}}


def _n_units(arguments: Mapping[str, Any], encoder: Encoder, tensor: Tensor) -> int:
    return masks_.ensure(arguments.get("masks") or "grid", encoder.patch).over(tensor).n_units


def _mask_as_seen(sample: Sample, prepared: Prepared) -> np.ndarray | None:
    """The mask of all objects at the encoder's input resolution: what the transform makes of the picture."""
    mask = sample.mask
    if mask is None or prepared.view is None:
        return None
    height, width = prepared.tensor.shape[-2:]
    picture = Image.fromarray(mask.astype(np.uint8) * 255)
    seen = picture.resize((width, height), Image.Resampling.BILINEAR, box=_inside(prepared.view, picture.size))
    return np.asarray(seen) >= 128


def _inside(view: tuple[float, float, float, float], size: tuple[int, int]) -> tuple[float, float, float, float]:
    return (max(view[0], 0.0), max(view[1], 0.0), min(view[2], float(size[0])), min(view[3], float(size[1])))


def _check_mask(sample: Sample, metrics: Sequence[str]) -> None:
    needing = [name for name in metrics if METRICS[name].needs == "mask"]
    if needing and sample.mask is None:
        raise InputError(f"{sample.id}: has no mask, which {', '.join(needing)} need; choose other --metrics")


def _seed(seed: int, index: int) -> int:
    """A seed of its own for each input."""
    return int(np.random.SeedSequence([seed, index]).generate_state(1)[0] % 2**31)


def _described(value: Any) -> Any:
    settings = getattr(value, "settings", None)
    return settings() if callable(settings) else value if isinstance(value, (str, int, float, dict)) else repr(value)
