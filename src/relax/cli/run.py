"""``relax run``."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from relax.cli.encoders import OWN, default_for
from relax.cli.masking import masks_of
from relax.cli.messages import Exit, counted, emit, note_masks, say
from relax.cli.options import (
    BATCH_SIZE,
    CELLS,
    CROP,
    DESIGN,
    DEVICE,
    ENGINE,
    FILL,
    GROUP,
    JSON,
    KEEP,
    KIND,
    LONG,
    MASKS,
    MAX_MASKS,
    METHOD,
    OPTION,
    PATTERN,
    PRECISION,
    PRETRAINED,
    QUIET,
    RELIABILITY,
    SEED,
    SIMILARITY,
    THREADS,
    set_threads,
)
from relax.cli.parsing import fills_of, groups_of, options_of, whole
from relax.cli.reference import reference_of
from relax.cli.sources import kind_in

if TYPE_CHECKING:
    from relax.runs import Progress, Ran

SHOWN = 20
"""Most failures that are shown one by one."""


def run(
    source: Annotated[
        str,
        typer.Argument(
            help="Folder, glob in quotes, table (.parquet, .csv, .tsv, .jsonl), or data set saved by `datasets`.",
            show_default=False,
        ),
    ],
    out: Annotated[Path, typer.Option(help="Folder of the store; a run in it is continued.")] = Path("relax-store"),
    column: Annotated[str | None, typer.Option(help="Column of the inputs in a table or data set.")] = None,
    every: Annotated[int, typer.Option(help="Take every k-th input.", metavar="K")] = 1,
    encoder: Annotated[
        str | None,
        typer.Option(help="Name from `relax list encoders`; default: efficientnet-lite0, for texts text:minilm."),
    ] = None,
    weights: Annotated[Path | None, typer.Option(help="Local weights file for the encoder.")] = None,
    pretrained: PRETRAINED = True,
    crop: CROP = None,
    long: LONG = None,
    against: Annotated[
        Path | None, typer.Option(help="Reference file or folder (corpus); by default each input itself.")
    ] = None,
    foil: Annotated[Path | None, typer.Option(help="File or folder to contrast with --against.")] = None,
    against_text: Annotated[
        list[str] | None,
        typer.Option(help="Reference text, for encoders of texts or with a text tower; repeatable."),
    ] = None,
    foil_text: Annotated[
        list[str] | None, typer.Option(help="Text to contrast with --against-text; repeatable.")
    ] = None,
    method: METHOD = None,
    masks: MASKS = None,
    max_masks: MAX_MASKS = None,
    reliability: RELIABILITY = None,
    seed: SEED = 0,
    kind: KIND = None,
    pattern: PATTERN = None,
    group: GROUP = None,
    cells: CELLS = None,
    keep: KEEP = None,
    fill: FILL = None,
    similarity: SIMILARITY = None,
    design: DESIGN = "foldover",
    option: OPTION = None,
    batch_size: BATCH_SIZE = "auto",
    workers: Annotated[
        int | None,
        typer.Option(help="Worker processes; by default one for each of several GPUs, else none but this process."),
    ] = None,
    executor: Annotated[str, typer.Option(help="'local', or 'ray' for a Ray cluster.")] = "local",
    retry_failed: Annotated[bool, typer.Option("--retry-failed", help="Try again the inputs that failed.")] = False,
    precision: PRECISION = "auto",
    engine: ENGINE = "auto",
    device: DEVICE = "auto",
    threads: THREADS = None,
    as_json: JSON = False,
    quiet: QUIET = False,
) -> None:
    """Explain a whole data set into a store of Parquet files; the same command resumes an interrupted run."""
    from relax import runs
    from relax.encoders import load_encoder

    set_threads(threads)
    weights_file, trained = None if weights is None else str(weights), None if pretrained else False
    options: dict[str, Any] = {"crop": crop, "weights": weights_file, "pretrained": trained, "long": long}
    options = {name: value for name, value in options.items() if value is not None}
    arguments: dict[str, Any] = dict(options_of(option or []))
    input_kind = kind_in(Path(source), column, encoder)
    encoder = encoder or default_for(input_kind, [Path(source)])
    if encoder.startswith(OWN):
        options |= {"modality": input_kind} | ({"data": source} if input_kind == "table" else {})
    if any(value is not None for value in (against, foil, against_text, foil_text, kind, pattern, group, cells, keep)):
        loaded = load_encoder(encoder, device="cpu", **options)
        arguments["against"] = reference_of(loaded, against, foil, against_text, foil_text)
        arguments["masks"] = masks_of(loaded, kind, cells, keep, pattern, groups_of(group or []))
    used: set[int] = set()
    with counted("inputs", quiet) as show:
        ran = runs.run(
            source,
            out,
            encoder,
            column=column,
            every=every,
            workers=workers,
            executor=executor,
            retry_failed=retry_failed,
            device=device,
            encoder_options=options,
            on_input=_reporter(show, as_json, used),
            method=method,
            n_masks=masks,
            max_masks=max_masks,
            reliability=reliability,
            seed=seed,
            fill=fills_of(fill),
            similarity=similarity,
            design=design,
            batch_size=batch_size if batch_size == "auto" else whole("--batch-size", batch_size),
            precision=precision,
            engine=engine,
            **arguments,
        )
    stopping = (ran.store.manifest or {}).get("settings", {}).get("stopping") or {}
    note_masks(stopping.get("n_masks"), used)
    _conclude(ran, as_json)


def _reporter(show: Callable[..., None], as_json: bool, used: set[int]) -> Callable[[Progress], None]:
    """Shows progress, failures and, if asked, a JSON line for each input; adds the numbers of masks used."""
    from relax.runs.records import summary_of

    def report(progress: Progress) -> None:
        reason = progress.row.get("reason")
        if reason is not None and progress.failed <= SHOWN:
            row = progress.row.get("row")
            say(f"error: {'' if row is None else f'row {row} (from 0): '}{reason}")
        elif reason is not None and progress.failed == SHOWN + 1:
            say("error: further failures are not shown; they are in the column `reason`")
        if reason is None:
            used.add(progress.row["n_masks"])
        if as_json:
            emit(json.dumps(summary_of(progress.row)))
        show(progress.done, progress.total, f"{progress.failed} failed" if progress.failed else "")

    return report


def _conclude(ran: Ran, as_json: bool) -> None:
    """Say what was done; exit with an error code if inputs failed."""
    for line in ran.damaged:
        say(f"note: {line}; its inputs were explained again")
    known = f"{ran.known} in the store already" + (f" ({ran.known_failed} of them failed)" if ran.known_failed else "")
    parts = [f"{ran.done} explained", f"{ran.failed} failed", known]
    parts += [f"{ran.changed} had changed"] if ran.changed else []
    parts += [f"{ran.gone} in the store are not among these inputs"] if ran.gone else []
    rate = f" in {ran.seconds:.0f} s" if ran.done else ""
    say(f"{', '.join(parts)}{rate} -> {ran.folder}")
    if ran.failed:
        raise typer.Exit(Exit.SOME_FAILED)
