"""``relax insight``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from relax.cli.messages import emit, say
from relax.cli.options import JSON, OVERWRITE, THREADS, set_threads


def insight(
    store: Annotated[Path, typer.Argument(help="A store made by `relax run`.", show_default=False)],
    other: Annotated[
        Path | None, typer.Argument(help="Another store of the same inputs, to compare with.", show_default=False)
    ] = None,
    out: Annotated[Path, typer.Option(help="Folder for the report and its tables.")] = Path("relax-insight"),
    encoder: Annotated[
        str | None, typer.Option(help="The store's encoder, to explain typical members and outliers of clusters.")
    ] = None,
    foreground: Annotated[
        Path | None, typer.Option(help="Folder of masks with the names of the inputs; white is foreground.")
    ] = None,
    source: Annotated[
        str | None, typer.Option(help="Where the inputs are, if not where the store was made from.")
    ] = None,
    column: Annotated[str | None, typer.Option(help="Column of the inputs in a table.")] = None,
    groups: Annotated[
        int | None, typer.Option(help="Number of groups of maps; by default one for every 15 inputs.")
    ] = None,
    clusters: Annotated[
        int | None, typer.Option(help="Number of clusters; by default the one with the best silhouette.")
    ] = None,
    limit: Annotated[int, typer.Option(help="Examples of each group and cluster.")] = 8,
    masks: Annotated[int, typer.Option(help="Number of masks for each map against a cluster.")] = 256,
    seed: Annotated[int, typer.Option(help="Seed of clusterings, intervals and masks.")] = 0,
    threads: THREADS = None,
    overwrite: OVERWRITE = False,
    as_json: JSON = False,
) -> None:
    """Report on a store: where the importance lies, suspicious groups, clusters, outliers, how OTHER differs."""
    from relax import insights
    from relax.insights.groups import SUSPICIOUS
    from relax.insights.writing import PAGE, plain, summary_of
    from relax.runs.files import refuse_existing

    set_threads(threads)
    if not overwrite:
        refuse_existing([out / PAGE])
    found = insights.insight(
        store,
        other,
        encoder=encoder,
        foreground=foreground,
        source=source,
        column=column,
        n_groups=groups,
        n_clusters=clusters,
        examples=limit,
        n_masks=masks,
        seed=seed,
    )
    files = found.write(out)
    for note in found.notes:
        say(f"note: {note}")
    if as_json:
        emit(json.dumps(plain(summary_of(found) | {"files": [str(path) for path in files.values()]})))
    top = f", the first with {found.groups[0].suspicion:.2f}" if found.groups else ""
    say(
        f"{len(found.rows)} inputs, {len(found.suspicious)} of {len(found.groups)} groups above a suspicion of "
        f"{SUSPICIOUS}{top} -> {files[PAGE]}"
    )
