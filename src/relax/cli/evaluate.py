"""``relax evaluate``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from relax.cli.encoders import DEFAULTS
from relax.cli.messages import Exit, counted, emit, say
from relax.cli.options import QUIET, THREADS, set_threads
from relax.cli.parsing import names_of, options_of
from relax.errors import ArgumentError

if TYPE_CHECKING:
    from relax.evaluation import Evaluation


DATASETS = {"image": "stamps", "text": "planted"}
"""Default data set of each kind of input."""

METHODS = {
    "image": "relax-regression,relax,smoothgrad,saliency,lafam,occlusion,random",
    "text": "relax-regression,relax,occlusion,kernel-shap,random",
}
"""Default methods of each kind of input."""


def evaluate(
    dataset: Annotated[
        str | None, typer.Option(help="Name from `relax list datasets`; default: stamps, for texts planted.")
    ] = None,
    modality: Annotated[str, typer.Option(help="image or text: which defaults to use.")] = "image",
    encoders: Annotated[
        str | None,
        typer.Option(
            help="Comma-separated names from `relax list encoders`; default: efficientnet-lite0, for texts text:minilm."
        ),
    ] = None,
    methods: Annotated[
        str | None,
        typer.Option(help="Comma-separated names from `relax list methods`; by default those usually compared."),
    ] = None,
    metrics: Annotated[
        str | None,
        typer.Option(
            help="Comma-separated names from `relax list metrics`; by default those that need no further explanations."
        ),
    ] = None,
    n: Annotated[int, typer.Option("--n", help="Number of inputs; 0 for all.")] = 24,
    seed: Annotated[int, typer.Option(help="Seed for the choice of inputs, the masks and the metrics.")] = 0,
    budget: Annotated[
        int | None,
        typer.Option(
            help="Forward passes per method, in whole blocks of masks; a backward pass counts as two. "
            "By default each method's own number."
        ),
    ] = None,
    ood: Annotated[
        str | None, typer.Option(help="Out-of-distribution data set to detect by the mean uncertainty.")
    ] = None,
    fill: Annotated[
        str | None, typer.Option(help="Name from `relax list fills`; by default each method's own.")
    ] = None,
    kind: Annotated[
        str | None, typer.Option(help="Kind of masks from `relax list masks`; by default each method's own.")
    ] = None,
    option: Annotated[
        list[str] | None,
        typer.Option("--option", "-o", help="METHOD.NAME=VALUE, such as smoothgrad.n_samples=16; repeatable."),
    ] = None,
    threads: THREADS = None,
    out: Annotated[Path, typer.Option(help="Folder of the run; an unfinished run in it is continued.")] = Path(
        "relax-out/evaluation"
    ),
    as_json: Annotated[bool, typer.Option("--json", help="Print the summary as JSON lines on stdout.")] = False,
    quiet: QUIET = False,
) -> None:
    """Evaluate methods and encoders on a data set; writes rows, a summary with intervals and an HTML report."""
    from relax._support.extras import require

    for module in ("pandas", "pyarrow", "sklearn", "jinja2", "quantus"):
        require(module, extra="evaluate")
    from relax import evaluation

    set_threads(threads)
    if modality not in DATASETS:
        raise ArgumentError(f"expected --modality {' or '.join(DATASETS)}, got {modality!r}")
    inputs = "text" if dataset == "planted" else modality
    usual_metrics = evaluation.FOR_TEXTS if inputs == "text" else evaluation.DEFAULT
    options: dict[str, dict[str, Any]] = {}
    for name, value in options_of(option or []).items():
        method, _, parameter = name.partition(".")
        options.setdefault(method.replace("_", "-"), {})[parameter] = value
    with counted("maps", quiet) as on_job:
        result = evaluation.evaluate(
            dataset or DATASETS[inputs],
            names_of("--encoders", encoders or DEFAULTS[inputs]),
            names_of("--methods", methods or METHODS[inputs]),
            usual_metrics if metrics is None else names_of("--metrics", metrics),
            n=n or None,
            seed=seed,
            out=out,
            budget=budget,
            ood=ood,
            options=options,
            on_job=on_job,
            fill=fill,
            masks=kind,
        )
    files = evaluation.write_report(result)
    _print_summary(result, as_json)
    for reason in result.skipped.values():
        say(f"skipped: {reason}")
    others = ", ".join(file.name for name, file in files.items() if name != "report.html")
    say(f"-> {files['report.html']}, {others}")
    if result.skipped:
        say(f"{len(result.skipped)} skipped")
        raise typer.Exit(Exit.SOME_FAILED)


def _print_summary(result: Evaluation, as_json: bool) -> None:
    """Print the summary as JSON lines, or the first metric and the AUROCs as text."""
    table, ood_table = result.summary, result.ood
    if as_json:
        for row in json.loads(table.to_json(orient="records")):
            emit(json.dumps(row))
        for row in json.loads(ood_table.to_json(orient="records")):
            emit(json.dumps({"metric": "ood-auroc", **row}))
        return
    first = table[table["metric"] == table["metric"].iloc[0]]
    for row in first.to_dict("records"):
        emit(
            f"{row['encoder']}  {row['method']:<20} {row['metric']} {row['mean']:.3f} "
            f"[{row['low']:.3f}, {row['high']:.3f}]  n {row['n']}"
        )
    for row in ood_table.to_dict("records"):
        emit(f"{row['encoder']}  {row['method']:<20} ood-auroc {row['auroc']:.3f}")
