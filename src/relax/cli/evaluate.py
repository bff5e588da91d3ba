"""``relax evaluate``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from relax.cli.messages import Exit, counted, output, say
from relax.cli.options import THREADS, set_threads
from relax.cli.parsing import names_of, options_of


def evaluate(
    dataset: Annotated[str, typer.Option(help="Name from `relax list datasets`.")] = "stamps",
    encoders: Annotated[
        str, typer.Option(help="Names from `relax list encoders`, with commas.")
    ] = "efficientnet-lite0",
    methods: Annotated[
        str, typer.Option(help="Names from `relax list methods`, with commas.")
    ] = "relax-fine,relax,smoothgrad,saliency,lafam,occlusion,random",
    metrics: Annotated[
        str | None, typer.Option(help="Names from `relax list metrics`, with commas; those that need no more maps.")
    ] = None,
    n: Annotated[int, typer.Option("--n", help="Inputs; 0 for all.")] = 24,
    seed: Annotated[int, typer.Option(help="Of the inputs, the masks and the metrics.")] = 0,
    budget: Annotated[
        int | None,
        typer.Option(
            help="Forwards for each method, a backward counted as two, in whole blocks of masks; its own if not given."
        ),
    ] = None,
    ood: Annotated[str | None, typer.Option(help="Another data set, to be told apart by the mean uncertainty.")] = None,
    fill: Annotated[
        str | None, typer.Option(help="Name from `relax list fills`; each method's own if not given.")
    ] = None,
    kind: Annotated[
        str | None, typer.Option(help="Kind of masks, from `relax list masks`; each method's own if not given.")
    ] = None,
    option: Annotated[
        list[str] | None, typer.Option("--option", "-o", help="METHOD.NAME=VALUE, such as smoothgrad.n_samples=16.")
    ] = None,
    threads: THREADS = None,
    out: Annotated[Path, typer.Option(help="Folder of the run; an unfinished run in it goes on.")] = Path(
        "relax-out/evaluation"
    ),
    as_json: Annotated[bool, typer.Option("--json", help="The summary as JSON lines on stdout.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress bar.")] = False,
) -> None:
    """Compare methods and encoders on a data set: rows, a summary with intervals, and a report (HTML)."""
    from relax._support.extras import require

    for module in ("pandas", "pyarrow", "sklearn", "jinja2", "quantus"):
        require(module, extra="evaluate")
    from relax import evaluation

    set_threads(threads)
    by_method: dict[str, dict[str, Any]] = {}
    for name, value in options_of(option or []).items():
        method, _, own = name.partition(".")
        by_method.setdefault(method.replace("_", "-"), {})[own] = value
    with counted("maps", quiet) as on_job:
        result = evaluation.evaluate(
            dataset,
            names_of("--encoders", encoders),
            names_of("--methods", methods),
            evaluation.DEFAULT if metrics is None else names_of("--metrics", metrics),
            n=n or None,
            seed=seed,
            out=out,
            budget=budget,
            ood=ood,
            options=by_method,
            on_job=on_job,
            fill=fill,
            masks=kind,
        )
    files = evaluation.write_report(result)
    table, ood_table = result.summary, result.ood
    if as_json:
        for row in json.loads(table.to_json(orient="records")):
            output(json.dumps(row))
        for row in json.loads(ood_table.to_json(orient="records")):
            output(json.dumps({"metric": "ood-auroc", **row}))
    else:
        first = table[table["metric"] == table["metric"].iloc[0]]
        for row in first.to_dict("records"):
            output(
                f"{row['encoder']}  {row['method']:<20} {row['metric']} {row['mean']:.3f} "
                f"[{row['low']:.3f}, {row['high']:.3f}]  n {row['n']}"
            )
        for row in ood_table.to_dict("records"):
            output(f"{row['encoder']}  {row['method']:<20} ood-auroc {row['auroc']:.3f}")
    for reason in result.skipped.values():
        say(f"skipped: {reason}")
    others = ", ".join(file.name for name, file in files.items() if name != "report.html")
    say(f"-> {files['report.html']}, {others}")
    if result.skipped:
        say(f"{len(result.skipped)} skipped")
        raise typer.Exit(Exit.SOME_FAILED)
