"""``relax index``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from relax.cli.messages import Exit, counted, output, say
from relax.cli.options import THREADS, set_threads
from relax.errors import InputError


def index(
    folder: Annotated[Path, typer.Argument(help="Folder of pictures, those below it too.", show_default=False)],
    out: Annotated[Path, typer.Option(help="The index: a folder, made if need be.")] = Path("relax-index"),
    encoder: Annotated[str, typer.Option(help="Name from `relax list encoders`.")] = "efficientnet-lite0",
    precision: Annotated[str, typer.Option(help="auto, float32, bfloat16 or float16.")] = "auto",
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, mps, ...")] = "auto",
    threads: THREADS = None,
    as_json: Annotated[bool, typer.Option("--json", help="What was done as one JSON object on stdout.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress bar.")] = False,
) -> None:
    """Embed a folder into an index on disk; goes on where it was cut off, and adds what is new."""
    from relax.encoders import load_encoder
    from relax.modalities.image.pictures import pictures_below
    from relax.retrieval.index import Index

    set_threads(threads)
    if not pictures_below(folder):  # said before a network is loaded and a folder is made
        raise InputError(f"{folder}: no pictures in this folder or below it")
    loaded = load_encoder(encoder, device=device)
    made = Index.create(out, loaded)
    with counted("pictures", quiet) as on_file:
        added = made.add(loaded, folder, on_file, precision=precision)
    for reason in added.failed.values():
        say(f"skipped: {reason}")
    if added.noted:
        say(f"note: {added.noted[0]}" + (f", and {len(added.noted) - 1} more like it" if added.noted[1:] else ""))
    if as_json:
        row = {
            "index": str(out),
            "added": added.added,
            "known": added.known,
            "failed": added.failed,
            "total": len(made),
        }
        output(json.dumps(row))
    else:
        gone = f", {len(added.gone)} gone" if added.gone else ""
        say(f"{added.added} added, {added.known} known, {len(added.failed)} skipped{gone}; {len(made)} in all -> {out}")
    if added.failed:
        raise typer.Exit(Exit.SOME_FAILED)
