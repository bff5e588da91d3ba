"""``relax match`` and ``relax duplicates``."""

from __future__ import annotations

import json
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from relax.cli.messages import counted, emit, printable, say
from relax.cli.options import DEVICE, ENCODER, JSON, MASKS, OUT, OVERWRITE, QUIET, SEED, THREADS, set_threads
from relax.errors import ArgumentError, InputError

if TYPE_CHECKING:
    from relax.encoders import Encoder
    from relax.retrieval.pairs import Matcher
    from relax.retrieval.results import Neighbour

REGIONS = Annotated[bool, typer.Option(help="Also show which region of one picture answers which of the other.")]
DEFAULT = "efficientnet-lite0"


def match(
    query: Annotated[Path, typer.Argument(help="A picture.", show_default=False)],
    target: Annotated[Path, typer.Argument(help="Another picture, a folder, or an index.", show_default=False)],
    k: Annotated[int, typer.Option("-k", help="Number of neighbours to find.")] = 5,
    explain: Annotated[bool, typer.Option(help="Explain each neighbour by a pair of maps.")] = False,
    regions: REGIONS = False,
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
    """Explain why two pictures match, or find a picture's nearest neighbours and explain those."""
    from relax.retrieval.pairs import Matcher
    from relax.retrieval.rows import numbered_results, pair_files, pair_row
    from relax.runs.files import only_writer, refuse_existing
    from relax.runs.naming import writable_folder

    set_threads(threads)
    if k < 1:
        raise ArgumentError(f"expected -k to be a positive integer, got {k}")
    if not target.exists():
        raise InputError(f"{target}: no such picture, folder or index")
    if target.is_dir() and out.resolve() == target.resolve():
        raise ArgumentError(f"{out}: the results would be among the pictures to search; choose another --out")
    if target.is_file() and {query.resolve(), target.resolve()} & {
        file.resolve() for file in pair_files(query, target, out).all
    }:
        raise ArgumentError(f"{out}: a result would overwrite one of the pictures; choose another --out")
    page = out / f"{query.stem}-matches.html"
    with only_writer(writable_folder(out)):
        if not overwrite and target.is_file():
            refuse_existing(pair_files(query, target, out).all)
        elif not overwrite:
            refuse_existing([page, *(numbered_results(out, f"{query.stem}-match", k) if explain or regions else ())])
        if target.is_file():
            matcher = Matcher(_load(encoder, device), regions=regions, n_masks=masks, seed=seed)
            _print_row(pair_row(matcher, query, target, out), as_json, str(query), str(target))
            return
        loaded, neighbours = _neighbours(query, target, k, encoder, device, quiet)
        matcher_or_none = Matcher(loaded, regions=regions, n_masks=masks, seed=seed) if explain or regions else None
        rows = _explain_neighbours(query, neighbours, out, matcher_or_none, as_json)
        subtitle = f"The {len(neighbours)} nearest neighbours in {target} by cosine similarity, encoder {loaded.name}."
        _write_page(page, f"Matches of {query.name}", subtitle, rows, str(query))


def duplicates(
    index: Annotated[Path, typer.Argument(help="An index made by `relax index`.", show_default=False)],
    threshold: Annotated[float, typer.Option(help="Cosine similarity from which two pictures are duplicates.")] = 0.95,
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
    """Find near-duplicate pictures in an index and explain how they differ."""
    from relax.retrieval.index import Index
    from relax.retrieval.rows import duplicate_rows, numbered_results
    from relax.runs.files import only_writer, refuse_existing
    from relax.runs.naming import writable_folder

    set_threads(threads)
    page = out / "duplicates.html"
    with only_writer(writable_folder(out)):
        if not overwrite:
            refuse_existing([page, *(numbered_results(out, "duplicate", limit) if explain else ())])
        opened = Index(index)
        found = opened.duplicates(threshold)
        pairs = found[: max(limit, 0)]
        if len(found) > len(pairs):
            say(f"note: {len(found)} pairs found, showing the {len(pairs)} most similar; see --limit")
        loaded = None
        if explain and pairs:
            loaded = _load(encoder or opened.about["encoder"]["name"], device)
            opened.check(loaded)
        rows = []
        for row in duplicate_rows(pairs, out, loaded, say, n_masks=masks, seed=seed):
            rows.append(row)
            _print_row(row, as_json, row["query"], row["match"])
        subtitle = f"Pairs in {index} with a cosine similarity of at least {threshold}."
        subtitle += " Maps: the same masks on both pictures; blue parts distinguish the two." if explain else ""
        _write_page(page, "Near-duplicates", subtitle, rows)


def _neighbours(
    query: Path, target: Path, k: int, encoder: str | None, device: str, quiet: bool
) -> tuple[Encoder, list[Neighbour]]:
    """Load the encoder and find the nearest neighbours in an index, or in a folder that is indexed temporarily."""
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
            raise InputError(f"{target}: contains no readable pictures")
        return loaded, index.neighbours(loaded, query, k)


def _explain_neighbours(
    query: Path, neighbours: list[Neighbour], out: Path, matcher: Matcher | None, as_json: bool
) -> list[dict[str, Any]]:
    """Explain the neighbours if there is a matcher, and print a row for each."""
    from relax.retrieval.rows import neighbour_rows

    rows = []
    for row in neighbour_rows(query, neighbours, out, matcher, say):
        rows.append(row)
        _print_row(row, as_json, row["match"])
    return rows


def _load(name: str | None, device: str) -> Encoder:
    from relax.encoders import load_encoder

    return load_encoder(name or DEFAULT, device=device)


def _print_row(row: dict[str, Any], as_json: bool, *names: str) -> None:
    if as_json:
        emit(json.dumps(row))
    else:
        files = f" -> {row['files'][0]}" if row["files"] else ""
        emit(f"{row['similarity']:.4f}  {'  '.join(names)}{files}")


def _write_page(path: Path, title: str, subtitle: str, rows: list[dict[str, Any]], query: str | None = None) -> None:
    from relax.retrieval.page import write_page

    write_page(path, title, subtitle, rows, query)
    say(f"-> {printable(str(path))}")
