"""``relax match`` and ``relax duplicates``."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from relax.cli.files import make_folder
from relax.cli.messages import counted, output, say
from relax.cli.threads import THREADS, set_threads
from relax.errors import ArgumentError, EncoderError, InputError

if TYPE_CHECKING:
    from relax.encoders import Encoder

_ENCODER = Annotated[str | None, typer.Option(help="Name from `relax list encoders`; an index's own if not given.")]
_MASKS = Annotated[int | None, typer.Option(help="Number of masks a map; as many as it takes if not given.")]
_SEED = Annotated[int, typer.Option(help="Seed of the masks.")]
_REGIONS = Annotated[bool, typer.Option(help="Also show which region of one answers which of the other.")]
_OUT = Annotated[Path, typer.Option(help="Folder for the results.")]
_DEVICE = Annotated[str, typer.Option(help="auto, cpu, cuda, mps, ...")]
_QUIET = Annotated[bool, typer.Option("--quiet", "-q", help="No progress bar.")]
_JSON = Annotated[bool, typer.Option("--json", help="One JSON object a match on stdout.")]

DEFAULT = "efficientnet-lite0"


def match(
    query: Annotated[Path, typer.Argument(help="A picture.", show_default=False)],
    target: Annotated[Path, typer.Argument(help="Another picture, a folder, or an index.", show_default=False)],
    k: Annotated[int, typer.Option("-k", help="Neighbours to find.")] = 5,
    explain: Annotated[bool, typer.Option(help="Explain each neighbour by a pair of maps.")] = False,
    regions: _REGIONS = False,
    encoder: _ENCODER = None,
    masks: _MASKS = None,
    seed: _SEED = 0,
    device: _DEVICE = "auto",
    threads: THREADS = None,
    out: _OUT = Path("relax-out"),
    as_json: _JSON = False,
    quiet: _QUIET = False,
) -> None:
    """Why two pictures match, or which other pictures match best, and why; the query itself is left out."""
    from relax.matching.index import ABOUT, Index

    set_threads(threads)
    if k < 1:
        raise ArgumentError(f"expected -k to be a positive integer, got {k}")
    make_folder(out)
    if not target.exists():
        raise InputError(f"{target}: no such picture, folder or index")
    if target.is_file():
        loaded = _load(encoder or DEFAULT, device)
        row = _explain(loaded, query, target, out / f"{query.stem}-{target.stem}.png", masks, seed, regions)
        _tell({"query": str(query), "match": str(target), **row}, as_json, str(query), str(target))
        return
    with ExitStack() as stack:
        if (target / ABOUT).exists():
            index = Index(target)
            loaded = _load(encoder or index.about["encoder"]["name"], device)
            index.check(loaded)
        else:
            loaded = _load(encoder or DEFAULT, device)
            index = Index.create(stack.enter_context(tempfile.TemporaryDirectory()), loaded)
            with counted("pictures", quiet) as on_file:
                added = index.add(loaded, target, on_file)
            for reason in added.failed.values():
                say(f"skipped: {reason}")
        if not len(index):
            raise InputError(f"{target}: no pictures in it that can be read")
        found = index.nearest(loaded.encode(query)[0], k + 1)
    found = [neighbour for neighbour in found if neighbour.path != str(query.resolve())][:k]
    rows: list[dict[str, Any]] = []
    for rank, neighbour in enumerate(found, start=1):
        row = {"similarity": round(neighbour.similarity, 6), "files": []}
        if explain or regions:
            file = out / f"{query.stem}-match-{rank}.png"
            row = _explained(_explain, row, loaded, query, Path(neighbour.path), file, masks, seed, regions)
        rows.append({"query": str(query), "rank": rank, "match": neighbour.path, **row})
        _tell(rows[-1], as_json, neighbour.path)
    page = out / f"{query.stem}-matches.html"
    about = f"The nearest {len(found)} of {target} by the cosine of representations, encoder {loaded.name}."
    _page(page, f"What matches {query.name}", about, rows, str(query))


def duplicates(
    index: Annotated[Path, typer.Argument(help="An index made by `relax index`.", show_default=False)],
    threshold: Annotated[float, typer.Option(help="Cosine from which two pictures count as duplicates.")] = 0.95,
    limit: Annotated[int, typer.Option(help="Pairs to show, the most similar first.")] = 100,
    explain: Annotated[bool, typer.Option(help="Explain each pair: which part of both makes them less alike.")] = False,
    encoder: _ENCODER = None,
    masks: _MASKS = None,
    seed: _SEED = 0,
    device: _DEVICE = "auto",
    threads: THREADS = None,
    out: _OUT = Path("relax-out"),
    as_json: _JSON = False,
    quiet: _QUIET = False,
) -> None:
    """Pairs of pictures in an index that are nearly the same, and what differs between them."""
    from relax.matching.index import Index

    set_threads(threads)
    make_folder(out)
    opened = Index(index)
    every = opened.duplicates(threshold)
    pairs = every[: max(limit, 0)]
    if len(every) > len(pairs):
        say(f"note: {len(every)} pairs, the {len(pairs)} most similar are shown; see --limit")
    loaded = None
    if explain and pairs:
        loaded = _load(encoder or opened.about["encoder"]["name"], device)
        opened.check(loaded)
    rows: list[dict[str, Any]] = []
    for number, (a, b, cosine) in enumerate(pairs, start=1):
        row: dict[str, Any] = {"similarity": round(cosine, 6), "files": []}
        if loaded is not None:
            row = _explained(_differ, row, loaded, a, b, out / f"duplicate-{number}.png", masks, seed)
        rows.append({"query": a, "rank": number, "match": b, **row})
        _tell(rows[-1], as_json, a, b)
    about = f"Pairs in {index} with a cosine of at least {threshold}."
    about += " Maps: masks laid over both; blue parts tell the two apart." if explain else ""
    _page(out / "duplicates.html", "Near-duplicates", about, rows)


def _load(name: str, device: str) -> Encoder:
    from relax.encoders import load_encoder

    return load_encoder(name, device=device)


def _explained(how: Callable[..., dict[str, Any]], row: dict[str, Any], *arguments: Any) -> dict[str, Any]:
    """A match explained, or as it was if its files have gone since they were indexed, or nothing is to be explained.

    The similarity stays that of the index, by which matches are in order; the pair's own may differ in the third digit.
    """
    try:
        return {**how(*arguments), "similarity": row["similarity"]}
    except (InputError, EncoderError) as error:
        say(f"not explained: {error}")
        return row


def _explain(
    encoder: Encoder, a: Path, b: Path, file: Path, masks: int | None, seed: int, regions: bool
) -> dict[str, Any]:
    from relax.matching.pairs import match as match_pair

    pair = match_pair(encoder, str(a), str(b), regions=regions, n_masks=masks, seed=seed)
    pair.plot(file)
    files = [file, file.with_name(f"{file.stem}-a.npz"), file.with_name(f"{file.stem}-b.npz")]
    pair.a.save(files[1])
    pair.b.save(files[2])
    row: dict[str, Any] = {
        "similarity": round(pair.similarity, 6),
        "n_masks": pair.a.n_masks,
        "files": list(map(str, files)),
    }
    if pair.interactions is not None:
        row["regions"] = pair.interactions.answers(pair.a.effect)
    return row


def _differ(encoder: Encoder, a: str, b: str, file: Path, masks: int | None, seed: int) -> dict[str, Any]:
    from relax.matching.differing import difference

    found = difference(encoder, a, b, n_masks=masks, seed=seed)
    found.plot(file)
    archive = file.with_suffix(".npz")
    found.explanation.save(archive)
    return {
        "similarity": round(found.similarity, 6),
        "n_masks": found.explanation.n_masks,
        "found": found.found,
        "files": [str(file), str(archive)],
    }


def _tell(row: dict[str, Any], as_json: bool, *names: str) -> None:
    if as_json:
        output(json.dumps(row))
    else:
        files = f" -> {row['files'][0]}" if row["files"] else ""
        output(f"{row['similarity']:.4f}  {'  '.join(names)}{files}")


def _page(path: Path, title: str, about: str, rows: list[dict[str, Any]], query: str | None = None) -> None:
    from relax.matching.page import write_page

    items = [
        {
            "paths": [row["match"]] if query is not None else [row["query"], row["match"]],
            "similarity": row["similarity"],
            "match": row["files"][0] if row["files"] else None,
        }
        for row in rows
    ]
    write_page(path, title, about, items, query)
    say(f"-> {path}")
