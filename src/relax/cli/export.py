"""``relax export``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from relax.cli.messages import say
from relax.cli.options import OVERWRITE, THREADS, set_threads
from relax.errors import ArgumentError


def export(
    store: Annotated[Path, typer.Argument(help="A store made by `relax run`.", show_default=False)],
    to: Annotated[str, typer.Option(help="embedding-atlas, fiftyone or parquet.")] = "embedding-atlas",
    out: Annotated[
        Path | None, typer.Option(help="File to write, for FiftyOne a folder; by default named after the store.")
    ] = None,
    projection: Annotated[str, typer.Option(help="umap, pca, or auto: umap where umap-learn is installed.")] = "auto",
    source: Annotated[
        str | None, typer.Option(help="Where the inputs are, if not where the store was made from.")
    ] = None,
    column: Annotated[str | None, typer.Option(help="Column of the inputs in a table.")] = None,
    seed: Annotated[int, typer.Option(help="Seed of projection and clusterings.")] = 0,
    threads: THREADS = None,
    overwrite: OVERWRITE = False,
) -> None:
    """Write a store for a viewer of embeddings: projection, neighbours, pictures with the map drawn in, figures."""
    from relax import insights
    from relax.insights.exporting import check_format

    set_threads(threads)
    check_format(to)
    name = store.resolve().name
    path = out or Path(f"{name}-fiftyone" if to == "fiftyone" else f"{name}.parquet")
    if path.exists() and not overwrite:
        raise ArgumentError(f"{path}: exists; use --overwrite to replace it, or choose another --out")
    done = insights.export(store, path, to, projection=projection, source=source, column=column, seed=seed)
    if done.gone:
        say(f"note: {done.gone} pictures are gone or have changed; they have no thumbnail")
    say(f"{done.n} inputs, projected by {done.projection} -> {done.path}")
    say(f"open with: {done.command}")
