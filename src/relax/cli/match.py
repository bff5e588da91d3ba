"""``relax match``."""

from __future__ import annotations

import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from relax.cli.cells import refuse_tables
from relax.cli.encoders import loaded
from relax.cli.masking import masks_of
from relax.cli.matches import encoder_of, print_row, shortened, write_matches
from relax.cli.messages import counted, note_masks, say
from relax.cli.options import (
    BATCH_SIZE,
    CELLS,
    CROP,
    DESIGN,
    DEVICE,
    ENCODER,
    ENGINE,
    FILL,
    GROUP,
    JSON,
    KEEP,
    KIND,
    LONG,
    MASKS,
    MAX_MASKS,
    METHOD,
    OPTION,
    OUT,
    OVERWRITE,
    PATTERN,
    PRECISION,
    QUIET,
    RELIABILITY,
    SEED,
    SIMILARITY,
    THREADS,
    set_threads,
)
from relax.cli.parsing import fills_of, groups_of, options_of, whole
from relax.cli.sources import is_file, is_path, kind_in, kind_of
from relax.errors import ArgumentError, InputError

if TYPE_CHECKING:
    from relax.encoders import Encoder
    from relax.retrieval.pairs import Matcher
    from relax.retrieval.results import Neighbour

NEAREST = 5
"""Number of neighbours to find if none is asked for."""

REGIONS = Annotated[
    bool, typer.Option(help="Also show which region of a picture answers which of the other; always for other inputs.")
]


def match(
    query: Annotated[
        str,
        typer.Argument(help="A picture, text file, recording, series, row (FILE#N), or a text.", show_default=False),
    ],
    target: Annotated[
        str, typer.Argument(help="Another of these, a folder, a table, or an index.", show_default=False)
    ],
    k: Annotated[int | None, typer.Option("-k", help="Number of neighbours to find; 5 if not given.")] = None,
    explain: Annotated[bool, typer.Option(help="Explain each neighbour by a pair of maps.")] = False,
    regions: REGIONS = False,
    encoder: ENCODER = None,
    crop: CROP = None,
    long: LONG = None,
    method: METHOD = None,
    masks: MASKS = None,
    max_masks: MAX_MASKS = None,
    reliability: RELIABILITY = None,
    seed: SEED = 0,
    kind: KIND = None,
    pattern: PATTERN = None,
    group: GROUP = None,
    cells: CELLS = None,
    keep: KEEP = None,
    fill: FILL = None,
    similarity: SIMILARITY = None,
    design: DESIGN = "foldover",
    option: OPTION = None,
    batch_size: BATCH_SIZE = "auto",
    precision: PRECISION = "auto",
    engine: ENGINE = "auto",
    device: DEVICE = "auto",
    threads: THREADS = None,
    out: OUT = Path("relax-out"),
    overwrite: OVERWRITE = False,
    as_json: JSON = False,
    quiet: QUIET = False,
) -> None:
    """Explain why two inputs match, or find an input's nearest neighbours and explain those."""
    from relax._support.atomic import writable_folder
    from relax.retrieval.pairs import Matcher
    from relax.retrieval.rows import numbered_results, pair_files, pair_row, stem_of
    from relax.runs.files import only_writer, refuse_existing

    set_threads(threads)
    if k is not None and k < 1:
        raise ArgumentError(f"expected -k to be a positive integer, got {k}")
    modality = _kind(query, target, encoder)
    folder = _searched(target, modality)
    one = _source(query, modality)
    other = Path(target) if folder is not None else _source(target, modality)
    pair = pair_files(one, other, out, modality)
    _check_results(out, folder, (one, other), pair.all)
    page = out / f"{stem_of(one)}-matches.html"
    with only_writer(writable_folder(out)):
        if not overwrite and folder is None:
            refuse_existing(pair.all)
        elif not overwrite:
            stem = f"{stem_of(one)}-match"
            refuse_existing([page, *(numbered_results(out, stem, k or NEAREST) if explain or regions else ())])
        given: dict[str, Any] = {
            "regions": regions or (modality != "image" and _observable(method)),
            "method": method,
            "n_masks": masks,
            "max_masks": max_masks,
            "reliability": reliability,
            "seed": seed,
            "fill": fills_of(fill),
            "similarity": similarity,
            "design": design,
            "batch_size": batch_size if batch_size == "auto" else whole("--batch-size", batch_size),
            "precision": precision,
            "engine": engine,
            **options_of(option or []),
        }
        options = {"crop": crop, "long": long}
        wanted = (kind, cells, keep, pattern, groups_of(group or []))
        if folder is None:
            if k is not None:
                say(f"note: -k {k} has no effect: {target} is one input")
            embedding = loaded(encoder, modality, device, [Path(query)], **options)
            row = pair_row(Matcher(embedding, masks=masks_of(embedding, *wanted), **given), one, other, out)
            print_row(row, as_json, query, target)
            note_masks(masks, [row["n_masks"]])
            return
        embedding, neighbours = _neighbours(one, folder, k or NEAREST, encoder, device, quiet, modality, options)
        matcher = Matcher(embedding, masks=masks_of(embedding, *wanted), **given) if explain or regions else None
        rows = _explain_neighbours(one, neighbours, out, embedding, matcher, as_json, page)
        note_masks(masks, (row["n_masks"] for row in rows if "n_masks" in row))
        subtitle = f"The {len(neighbours)} nearest neighbours in {target} by cosine similarity, {embedding.name}."
        title = shortened(query) if isinstance(one, str) else Path(str(one)).name
        card = embedding.modality.card(embedding.prepare(one)) if embedding.modality.cards else None
        write_matches(page, f"Matches of {title}", subtitle, rows, one, card)


def _kind(query: str, target: str, encoder: str | None) -> str:
    """Kind of both inputs: that of the index, the encoder or the files; text, if neither looks like a file."""
    from relax.retrieval.about import ABOUT, read_about

    if is_file(target) and (Path(target) / ABOUT).exists():
        return str(read_about(Path(target))["modality"])
    names = [name for name in (query, target) if is_file(name) or is_path(name)]
    if not names:
        kind = kind_of([], [], None) if encoder is None else kind_of([Path(query)], [], encoder)
        return kind if encoder is not None and kind != "image" else "text"
    kind = kind_of([Path(name) for name in names if not Path(name).is_dir()], [], encoder)
    if kind == "image" and is_file(target) and Path(target).is_dir():
        return kind_in(Path(target), None, encoder)
    return kind


def _observable(method: str | None) -> bool:
    """Whether a method's masks say which part of one input answers which of the other."""
    from relax.methods import METHODS

    return method is None or method not in METHODS or bool(METHODS[method].observable)


def _searched(target: str, kind: str) -> Path | None:
    """The folder or table to search for neighbours; ``None`` for a single input."""
    from relax.modalities import MODALITIES
    from relax.modalities.parts import numbered

    if not is_file(target):
        return None
    path, row = numbered(Path(target))
    if path.is_dir():
        return path
    parts = MODALITIES[kind]().parts_of(path) if row is None else None
    return path if parts is not None and len(parts) > 1 else None


def _source(given: str, kind: str) -> Any:
    """The text itself, the path of a file, or a part of one.

    Raises:
        InputError: it looks like a path, and there is no such file.
    """
    from relax.modalities import MODALITIES
    from relax.modalities.files import not_found

    if kind != "text":
        return MODALITIES[kind]().at(Path(given)) if is_file(given) else Path(given)
    if is_file(given):
        refuse_tables([Path(given)])
        return Path(given)
    if is_path(given):
        raise not_found(given)
    if not any(space in given.strip() for space in " \n\t"):
        say(f"note: there is no file or folder {given!r}; it is taken as a text")
    return given


def _check_results(out: Path, folder: Path | None, sources: tuple[Any, Any], files: tuple[Path, ...]) -> None:
    """Refuse missing files, and results that would be among the inputs."""
    from relax.modalities.files import not_found

    missing = [source for source in sources if isinstance(source, Path) and not is_file(str(source))]
    if missing:  # one that looks like a path is the likelier mistake
        source = next((source for source in missing if is_path(str(source))), missing[0])
        raise not_found(source, "picture, text, folder or index")
    if folder is not None and out.resolve() == folder.resolve():
        raise ArgumentError(f"{out}: the results would be among the inputs to search; choose another --out")
    inputs = {source.resolve() for source in sources if isinstance(source, Path)}
    if folder is None and inputs & {file.resolve() for file in files}:
        raise ArgumentError(f"{out}: a result would overwrite one of the inputs; choose another --out")


def _neighbours(
    query: Any,
    target: Path,
    k: int,
    encoder: str | None,
    device: str,
    quiet: bool,
    kind: str,
    options: dict[str, str | None],
) -> tuple[Encoder, list[Neighbour]]:
    """Load the encoder and find the nearest neighbours in an index, or in a folder or table that is indexed for now."""
    from relax.retrieval.about import ABOUT
    from relax.retrieval.index import Index

    with ExitStack() as stack:
        if (target / ABOUT).exists():
            index = Index(target)
            embedding = encoder_of(index, encoder, device, **options)
        else:
            embedding = loaded(encoder, kind, device, [target], **options)
            index = Index.create(stack.enter_context(tempfile.TemporaryDirectory()), embedding, query)
            with counted("inputs", quiet) as on_file:
                added = index.add(embedding, target, on_file)
            for reason in added.failed.values():
                say(f"skipped: {reason}")
        if not len(index):
            raise InputError(f"{target}: contains no readable {kind} inputs")
        return embedding, index.neighbours(embedding, query, k)


def _explain_neighbours(
    query: Any,
    neighbours: list[Neighbour],
    out: Path,
    encoder: Encoder,
    matcher: Matcher | None,
    as_json: bool,
    page: Path,
) -> list[dict[str, Any]]:
    """Explain the neighbours if there is a matcher, and print a row for each; in JSON the page is among its files."""
    from relax.retrieval.page import name_of
    from relax.retrieval.rows import neighbour_rows

    rows = []
    for row in neighbour_rows(query, neighbours, out, encoder, matcher, say):
        rows.append(row)
        print_row({**row, "files": [*row["files"], str(page)]} if as_json else row, as_json, name_of(row))
    return rows
