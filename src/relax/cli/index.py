"""``relax index``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from relax.cli.encoders import loaded
from relax.cli.messages import Exit, counted, emit, say
from relax.cli.options import CROP, DEVICE, ENGINE, LONG, PRECISION, QUIET, THREADS, set_threads
from relax.cli.sources import kind_in


def index(
    source: Annotated[
        Path,
        typer.Argument(
            help="Folder of pictures, texts, recordings or series (subfolders are included), a text file, or a table: "
            "of texts, of paths, or of rows for an encoder of rows.",
            show_default=False,
        ),
    ],
    out: Annotated[Path, typer.Option(help="Folder of the index; created if needed.")] = Path("relax-index"),
    column: Annotated[
        str | None, typer.Option(help="Column of a table (Parquet, CSV, JSON lines) that holds the texts or paths.")
    ] = None,
    encoder: Annotated[
        str | None,
        typer.Option(help="Name from `relax list encoders`; default: as for `relax explain`."),
    ] = None,
    crop: CROP = None,
    long: LONG = None,
    precision: PRECISION = "auto",
    engine: ENGINE = "auto",
    device: DEVICE = "auto",
    threads: THREADS = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the outcome as one JSON object on stdout.")] = False,
    quiet: QUIET = False,
) -> None:
    """Embed inputs of one kind into an index on disk; continues an interrupted run and adds new inputs."""
    from relax.modalities import MODALITIES
    from relax.retrieval.index import Index
    from relax.runs.sources import source_of

    set_threads(threads)
    kind = kind_in(source, column, encoder)
    inputs = source_of(source, MODALITIES[kind](), column)  # fail before the encoder is loaded and a folder created
    embedding = loaded(encoder, kind, device, [source], crop=crop, long=long)
    opened = Index.create(out, embedding, inputs[0].value)
    with counted("inputs", quiet) as on_file:
        added = opened.add(embedding, source, on_file, column=column, precision=precision, engine=engine)
    for reason in added.failed.values():
        say(f"skipped: {reason}")
    if added.noted:
        say(f"note: {added.noted[0]}" + (f" ({len(added.noted) - 1} more notes)" if added.noted[1:] else ""))
    if as_json:
        row = {
            "index": str(out),
            "added": added.added,
            "known": added.known,
            "failed": added.failed,
            "total": len(opened),
        }
        emit(json.dumps(row))
    else:
        removed = f", {len(added.gone)} removed" if added.gone else ""
        counts = f"{added.added} added, {added.known} unchanged, {len(added.failed)} skipped{removed}"
        say(f"{counts}; {len(opened)} in total -> {out}")
    if added.failed:
        raise typer.Exit(Exit.SOME_FAILED)
