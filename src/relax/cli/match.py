"""``relax match``."""

from __future__ import annotations

import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from relax.cli.matches import load, print_row, shortened, write_matches
from relax.cli.messages import counted, say
from relax.cli.options import DEVICE, ENCODER, JSON, MASKS, OUT, OVERWRITE, QUIET, SEED, THREADS, set_threads
from relax.cli.sources import DEFAULTS, TEXT_FAMILIES, fitting, is_file, is_path, kind_in
from relax.errors import ArgumentError, InputError

if TYPE_CHECKING:
    from relax.encoders import Encoder
    from relax.retrieval.pairs import Matcher
    from relax.retrieval.results import Neighbour

REGIONS = Annotated[
    bool, typer.Option(help="Also show which region or word of one answers which of the other; always for texts.")
]


def match(
    query: Annotated[str, typer.Argument(help="A picture, a text file, or a text.", show_default=False)],
    target: Annotated[str, typer.Argument(help="Another picture or text, a folder, or an index.", show_default=False)],
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
    """Explain why two inputs match, or find an input's nearest neighbours and explain those."""
    from relax.retrieval.pairs import Matcher
    from relax.retrieval.rows import numbered_results, pair_files, pair_row, stem_of
    from relax.runs.files import only_writer, refuse_existing
    from relax.runs.naming import writable_folder

    set_threads(threads)
    if k < 1:
        raise ArgumentError(f"expected -k to be a positive integer, got {k}")
    folder = Path(target) if is_file(target) and Path(target).is_dir() else None
    texts = _about_texts(query, target, folder, encoder)
    one, other = _source(query, texts), _source(target, texts)
    pair = pair_files(one, other, out)
    _check_results(out, folder, (one, other), pair.all)
    page = out / f"{stem_of(one)}-matches.html"
    with only_writer(writable_folder(out)):
        if not overwrite and folder is None:
            refuse_existing(pair.all)
        elif not overwrite:
            stem = f"{stem_of(one)}-match"
            refuse_existing([page, *(numbered_results(out, stem, k) if explain or regions else ())])
        given: dict[str, Any] = {"regions": regions or texts, "n_masks": masks, "seed": seed}
        if folder is None:
            loaded = fitting(load(encoder or DEFAULTS["text" if texts else "image"], device), _kind(texts))
            print_row(pair_row(Matcher(loaded, **given), one, other, out), as_json, query, target)
            return
        loaded, neighbours = _neighbours(one, folder, k, encoder, device, quiet, texts)
        matcher = Matcher(loaded, **given) if explain or regions else None
        rows = _explain_neighbours(one, neighbours, out, matcher, as_json, page)
        subtitle = f"The {len(neighbours)} nearest neighbours in {target} by cosine similarity, encoder {loaded.name}."
        title = shortened(query) if isinstance(one, str) else one.name
        write_matches(page, f"Matches of {title}", subtitle, rows, one)


def _about_texts(query: str, target: str, folder: Path | None, encoder: str | None) -> bool:
    """Whether the command is about texts: by the index, the encoder, the files, or as neither looks like a file."""
    from relax.modalities.text.modality import SUFFIXES
    from relax.retrieval.index import ABOUT, Index

    if folder is not None and (folder / ABOUT).exists():
        return bool(Index(folder).about["modality"] == "text")
    names = (query, target)
    if (encoder or "").startswith(TEXT_FAMILIES) or any(Path(name).suffix.lower() in SUFFIXES for name in names):
        return True
    if folder is not None:
        return kind_in(folder, None, None) == "text"
    return not any(is_file(name) or is_path(name) for name in names)


def _source(given: str, texts: bool) -> Any:
    """The text itself, or the path of a file.

    Raises:
        InputError: it looks like a path, and there is no such file.
    """
    if is_file(given) or not texts:
        return Path(given)
    if is_path(given):
        raise InputError(f"{given}: no such file")
    if not any(space in given.strip() for space in " \n\t"):
        say(f"note: there is no file or folder {given!r}; it is taken as a text")
    return given


def _kind(texts: bool) -> str:
    return "text" if texts else "image"


def _check_results(out: Path, folder: Path | None, sources: tuple[Any, Any], files: tuple[Path, ...]) -> None:
    """Refuse missing files, and results that would be among the inputs."""
    missing = [source for source in sources if isinstance(source, Path) and not is_file(str(source))]
    if missing:  # one that looks like a path is the likelier mistake
        source = next((source for source in missing if is_path(str(source))), missing[0])
        raise InputError(f"{source}: no such picture, text, folder or index")
    if folder is not None and out.resolve() == folder.resolve():
        raise ArgumentError(f"{out}: the results would be among the inputs to search; choose another --out")
    inputs = {source.resolve() for source in sources if isinstance(source, Path)}
    if folder is None and inputs & {file.resolve() for file in files}:
        raise ArgumentError(f"{out}: a result would overwrite one of the inputs; choose another --out")


def _neighbours(
    query: Any, target: Path, k: int, encoder: str | None, device: str, quiet: bool, texts: bool
) -> tuple[Encoder, list[Neighbour]]:
    """Load the encoder and find the nearest neighbours in an index, or in a folder that is indexed temporarily."""
    from relax.retrieval.index import ABOUT, Index

    with ExitStack() as stack:
        if (target / ABOUT).exists():
            index = Index(target)
            loaded = load(encoder or index.about["encoder"]["name"], device)
            index.check(loaded)
        else:
            loaded = fitting(load(encoder or DEFAULTS[_kind(texts)], device), _kind(texts))
            index = Index.create(stack.enter_context(tempfile.TemporaryDirectory()), loaded)
            with counted("files", quiet) as on_file:
                added = index.add(loaded, target, on_file)
            for reason in added.failed.values():
                say(f"skipped: {reason}")
        if not len(index):
            raise InputError(f"{target}: contains no readable {'texts' if texts else 'pictures'}")
        return loaded, index.neighbours(loaded, query, k)


def _explain_neighbours(
    query: Any, neighbours: list[Neighbour], out: Path, matcher: Matcher | None, as_json: bool, page: Path
) -> list[dict[str, Any]]:
    """Explain the neighbours if there is a matcher, and print a row for each; in JSON the page is among its files."""
    from relax.retrieval.rows import neighbour_rows

    rows = []
    for row in neighbour_rows(query, neighbours, out, matcher, say):
        rows.append(row)
        print_row({**row, "files": [*row["files"], str(page)]} if as_json else row, as_json, _named(row))
    return rows


def _named(row: dict[str, Any]) -> str:
    """Path of a neighbour, with its row in a table."""
    return f"{row['match']}#{row['row']}" if "row" in row else str(row["match"])
