"""``relax match`` and ``relax duplicates``."""

from __future__ import annotations

import json
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from relax.cli.messages import counted, output, say, shown
from relax.cli.options import DEVICE, ENCODER, JSON, MASKS, OUT, QUIET, SEED, THREADS, set_threads
from relax.errors import ArgumentError, InputError

if TYPE_CHECKING:
    from relax.encoders import Encoder
    from relax.retrieval.index import Neighbour

REGIONS = Annotated[bool, typer.Option(help="Also show which region of one answers which of the other.")]
DEFAULT = "efficientnet-lite0"


def match(
    query: Annotated[Path, typer.Argument(help="A picture.", show_default=False)],
    target: Annotated[Path, typer.Argument(help="Another picture, a folder, or an index.", show_default=False)],
    k: Annotated[int, typer.Option("-k", help="Neighbours to find.")] = 5,
    explain: Annotated[bool, typer.Option(help="Explain each neighbour by a pair of maps.")] = False,
    regions: REGIONS = False,
    encoder: ENCODER = None,
    masks: MASKS = None,
    seed: SEED = 0,
    device: DEVICE = "auto",
    threads: THREADS = None,
    out: OUT = Path("relax-out"),
    as_json: JSON = False,
    quiet: QUIET = False,
) -> None:
    """Why two pictures match, or which other pictures match best, and why; the query itself is left out."""
    from relax.retrieval.pairs import Matcher
    from relax.retrieval.rows import neighbour_rows, pair_row
    from relax.runs.naming import usable

    set_threads(threads)
    if k < 1:
        raise ArgumentError(f"expected -k to be a positive integer, got {k}")
    usable(out)
    if not target.exists():
        raise InputError(f"{target}: no such picture, folder or index")
    if target.is_file():
        row = pair_row(Matcher(_load(encoder, device), regions=regions, n_masks=masks, seed=seed), query, target, out)
        _tell(row, as_json, str(query), str(target))
        return
    loaded, found = _neighbours(query, target, k, encoder, device, quiet)
    matcher = Matcher(loaded, regions=regions, n_masks=masks, seed=seed) if explain or regions else None
    rows = []
    for row in neighbour_rows(query, found, out, matcher, say):
        rows.append(row)
        _tell(row, as_json, row["match"])
    about = f"The nearest {len(found)} of {target} by the cosine of representations, encoder {loaded.name}."
    _page(out / f"{query.stem}-matches.html", f"What matches {query.name}", about, rows, str(query))


def duplicates(
    index: Annotated[Path, typer.Argument(help="An index made by `relax index`.", show_default=False)],
    threshold: Annotated[float, typer.Option(help="Cosine from which two pictures count as duplicates.")] = 0.95,
    limit: Annotated[int, typer.Option(help="Pairs to show, the most similar first.")] = 100,
    explain: Annotated[bool, typer.Option(help="Explain each pair: which part of both makes them less alike.")] = False,
    encoder: ENCODER = None,
    masks: MASKS = None,
    seed: SEED = 0,
    device: DEVICE = "auto",
    threads: THREADS = None,
    out: OUT = Path("relax-out"),
    as_json: JSON = False,
    quiet: QUIET = False,
) -> None:
    """Pairs of pictures in an index that are nearly the same, and what differs between them."""
    from relax.retrieval.index import Index
    from relax.retrieval.rows import duplicate_rows
    from relax.runs.naming import usable

    set_threads(threads)
    usable(out)
    opened = Index(index)
    every = opened.duplicates(threshold)
    pairs = every[: max(limit, 0)]
    if len(every) > len(pairs):
        say(f"note: {len(every)} pairs, the {len(pairs)} most similar are shown; see --limit")
    loaded = None
    if explain and pairs:
        loaded = _load(encoder or opened.about["encoder"]["name"], device)
        opened.check(loaded)
    rows = []
    for row in duplicate_rows(pairs, out, loaded, say, n_masks=masks, seed=seed):
        rows.append(row)
        _tell(row, as_json, row["query"], row["match"])
    about = f"Pairs in {index} with a cosine of at least {threshold}."
    about += " Maps: masks laid over both; blue parts tell the two apart." if explain else ""
    _page(out / "duplicates.html", "Near-duplicates", about, rows)


def _neighbours(
    query: Path, target: Path, k: int, encoder: str | None, device: str, quiet: bool
) -> tuple[Encoder, list[Neighbour]]:
    """The encoder, and what it finds nearest in an index, or in a folder that is indexed for this once."""
    from relax.retrieval.index import ABOUT, Index

    with ExitStack() as stack:
        if (target / ABOUT).exists():
            index = Index(target)
            loaded = _load(encoder or index.about["encoder"]["name"], device)
            index.check(loaded)
        else:
            loaded = _load(encoder, device)
            index = Index.create(stack.enter_context(tempfile.TemporaryDirectory()), loaded)
            with counted("pictures", quiet) as on_file:
                added = index.add(loaded, target, on_file)
            for reason in added.failed.values():
                say(f"skipped: {reason}")
        if not len(index):
            raise InputError(f"{target}: no pictures in it that can be read")
        return loaded, index.neighbours(loaded, query, k)


def _load(name: str | None, device: str) -> Encoder:
    from relax.encoders import load_encoder

    return load_encoder(name or DEFAULT, device=device)


def _tell(row: dict[str, Any], as_json: bool, *names: str) -> None:
    if as_json:
        output(json.dumps(row))
    else:
        files = f" -> {row['files'][0]}" if row["files"] else ""
        output(f"{row['similarity']:.4f}  {'  '.join(names)}{files}")


def _page(path: Path, title: str, about: str, rows: list[dict[str, Any]], query: str | None = None) -> None:
    from relax.retrieval.page import write_page

    write_page(path, title, about, rows, query)
    say(f"-> {shown(str(path))}")
