"""``relax index``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from relax.cli.messages import Exit, counted, emit, say
from relax.cli.options import DEVICE, ENGINE, PRECISION, QUIET, THREADS, set_threads
from relax.errors import InputError


def index(
    folder: Annotated[Path, typer.Argument(help="Folder of pictures; subfolders are included.", show_default=False)],
    out: Annotated[Path, typer.Option(help="Folder of the index; created if needed.")] = Path("relax-index"),
    encoder: Annotated[str, typer.Option(help="Name from `relax list encoders`.")] = "efficientnet-lite0",
    precision: PRECISION = "auto",
    engine: ENGINE = "auto",
    device: DEVICE = "auto",
    threads: THREADS = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the outcome as one JSON object on stdout.")] = False,
    quiet: QUIET = False,
) -> None:
    """Embed a folder of pictures into an index on disk; continues an interrupted run and adds new pictures."""
    from relax.encoders import load_encoder
    from relax.modalities.image.pictures import pictures_below
    from relax.retrieval.index import Index

    set_threads(threads)
    if not pictures_below(folder):  # before the encoder is loaded and the index folder is created
        raise InputError(f"{folder}: no pictures in this folder or its subfolders")
    loaded = load_encoder(encoder, device=device)
    opened = Index.create(out, loaded)
    with counted("pictures", quiet) as on_file:
        added = opened.add(loaded, folder, on_file, precision=precision, engine=engine)
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
