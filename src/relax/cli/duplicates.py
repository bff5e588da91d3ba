"""``relax duplicates``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from relax.cli.matches import encoder_of, print_row, write_matches
from relax.cli.messages import say
from relax.cli.options import DEVICE, ENCODER, JSON, MASKS, OUT, OVERWRITE, QUIET, SEED, THREADS, set_threads


def duplicates(
    index: Annotated[Path, typer.Argument(help="An index made by `relax index`.", show_default=False)],
    threshold: Annotated[float, typer.Option(help="Cosine similarity from which two inputs are duplicates.")] = 0.95,
    limit: Annotated[int, typer.Option(help="Maximum number of pairs to show, the most similar first.")] = 100,
    explain: Annotated[bool, typer.Option(help="Explain each pair: which part makes the two less alike.")] = False,
    encoder: ENCODER = None,
    masks: MASKS = None,
    seed: SEED = 0,
    device: DEVICE = "auto",
    threads: THREADS = None,
    out: OUT = Path("relax-out"),
    overwrite: OVERWRITE = False,
    as_json: JSON = False,
    quiet: QUIET = False,
) -> None:
    """Find near-duplicates in an index and explain how they differ."""
    from relax._support.atomic import writable_folder
    from relax.retrieval.index import Index
    from relax.retrieval.rows import duplicate_rows, numbered_results
    from relax.runs.files import only_writer, refuse_existing

    set_threads(threads)
    page = out / "duplicates.html"
    with only_writer(writable_folder(out)):
        if not overwrite:
            refuse_existing([page, *(numbered_results(out, "duplicate", limit) if explain else ())])
        opened = Index(index)
        found = opened.close_pairs(threshold)
        pairs = found[: max(limit, 0)]
        if len(found) > len(pairs):
            say(f"note: {len(found)} pairs found, showing the {len(pairs)} most similar; see --limit")
        embedding = encoder_of(opened, encoder, device) if explain and pairs else None
        rows = []
        for row in duplicate_rows(pairs, out, opened.about["modality"], embedding, say, n_masks=masks, seed=seed):
            rows.append(row)
            print_row(row, as_json, row["query"], row["match"])
        subtitle = f"Pairs in {index} with a cosine similarity of at least {threshold}."
        if explain and opened.about["modality"] == "image":
            subtitle += " Maps: the same masks on both pictures; blue parts distinguish the two."
        write_matches(page, "Near-duplicates", subtitle, rows)
