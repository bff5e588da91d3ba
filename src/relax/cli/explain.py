"""``relax explain`` and ``relax demo``."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from relax.cli.cells import refuse_tables, texts_in
from relax.cli.encoders import loaded
from relax.cli.masking import masks_of
from relax.cli.messages import Exit, emit, note_masks, printable, say
from relax.cli.options import (
    BATCH_SIZE,
    CELLS,
    CROP,
    DESIGN,
    DEVICE,
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
    PRETRAINED,
    QUIET,
    RELIABILITY,
    SEED,
    SIMILARITY,
    SKIP_EXISTING,
    THREADS,
    existing_policy,
    set_threads,
)
from relax.cli.parsing import fills_of, groups_of, options_of, views_of, whole
from relax.cli.reference import reference_of
from relax.cli.sources import kind_of, targets_for
from relax.cli.texts import show_text
from relax.errors import ArgumentError

if TYPE_CHECKING:
    from relax.explainer import Explainer


SHORT = 60
"""Most characters of an input's name on the terminal."""

MANY = 20
"""Number of rows of a table from which a note says that some can be named."""


def explain(
    files: Annotated[
        list[Path] | None,
        typer.Argument(
            help="Pictures, text files (.txt, .md, .rst), recordings (.wav, .flac, .ogg), series (.npy, .csv), tables "
            "(.csv, .parquet; FILE#N is a row), or folders.",
            show_default=False,
        ),
    ] = None,
    text: Annotated[list[str] | None, typer.Option(help="A text to explain; repeatable.")] = None,
    row: Annotated[list[int] | None, typer.Option(help="Row of a table to explain, from 0; repeatable.")] = None,
    column: Annotated[
        str | None, typer.Option(help="Column of texts in a table; with --row, its cells are the texts to explain.")
    ] = None,
    view: Annotated[
        list[str] | None, typer.Option(help="NAME=FILE of one view (.npy for a vector), instead of FILE; repeatable.")
    ] = None,
    encoder: Annotated[
        str | None,
        typer.Option(
            help="Name from `relax list encoders`; default: efficientnet-lite0, text:minilm, sound:resemblyzer or "
            "series:fracast."
        ),
    ] = None,
    weights: Annotated[Path | None, typer.Option(help="Local weights file for the encoder.")] = None,
    pretrained: PRETRAINED = True,
    crop: CROP = None,
    long: LONG = None,
    against: Annotated[
        Path | None,
        typer.Option(help="Reference file or folder (corpus); by default the input is compared with itself."),
    ] = None,
    foil: Annotated[
        Path | None, typer.Option(help="File or folder to contrast with --against: why this rather than that.")
    ] = None,
    against_text: Annotated[
        list[str] | None,
        typer.Option(help="Reference text, for encoders of texts or with a text tower; repeatable."),
    ] = None,
    foil_text: Annotated[
        list[str] | None, typer.Option(help="Text to contrast with --against-text; repeatable.")
    ] = None,
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
    recursive: Annotated[bool, typer.Option("--recursive", help="Also search subfolders.")] = False,
    overwrite: OVERWRITE = False,
    skip_existing: SKIP_EXISTING = False,
    as_json: JSON = False,
    quiet: QUIET = False,
) -> None:
    """Explain pictures, texts, recordings, series or table rows; writes NAME.png, .npz and, but for pictures, .html."""
    if bool(files or text) == bool(view):
        raise ArgumentError("expected files, --text, or one --view NAME=FILE per view of an object")
    if view and (against or foil or against_text or foil_text):
        raise ArgumentError("--against, --foil, --against-text and --foil-text do not go with --view")
    views = views_of(view or [])
    policy = existing_policy(overwrite, skip_existing)
    from relax.explainer import Explainer
    from relax.runs.naming import slug

    set_threads(threads)
    files = [Path(f"{file}#{number}") for file in files or [] for number in row] if row else files or []
    texts = [(slug(one), one) for one in text or []]
    if column is not None:
        texts, files = [*texts, *texts_in(files, column)], []
    modality = kind_of(files, texts, encoder)
    if modality == "text":
        refuse_tables(files)
    targets, empty = targets_for(modality, files, texts, out, recursive)  # fail before the encoder is loaded
    if modality == "table" and not row and len(targets) > MANY:
        say(f"note: {len(targets)} rows are explained one by one; --row N explains one")
    weights_file = None if weights is None else str(weights)
    trained = None if pretrained else False
    opened = loaded(encoder, modality, device, files, crop=crop, weights=weights_file, pretrained=trained, long=long)
    method_options: dict[str, Any] = dict(options_of(option or []))
    explainer = Explainer(
        opened,
        reference_of(opened, against, foil, against_text, foil_text),
        method=method,
        n_masks=masks,
        max_masks=max_masks,
        reliability=reliability,
        seed=seed,
        masks=masks_of(opened, kind, cells, keep, pattern, groups_of(group or [])),
        fill=fills_of(fill),
        similarity=similarity,
        design=design,
        batch_size=batch_size if batch_size == "auto" else whole("--batch-size", batch_size),
        precision=precision,
        engine=engine,
        progress=not quiet and sys.stderr.isatty(),  # a file would be full of control characters
        **method_options,
    )
    if views:
        _explain_views(explainer, views, out, policy, as_json)
    else:
        for reason in empty:
            say(f"error: {reason}")
        _explain_files(explainer, targets, out, policy, as_json, quiet, len(empty))


def demo(out: OUT = Path("relax-out"), overwrite: OVERWRITE = False, skip_existing: SKIP_EXISTING = False) -> None:
    """Explain a sample photograph from scikit-image and print where the results are."""
    import skimage

    photograph = Path(skimage.__file__).parent / "data" / "chelsea.png"
    explain(files=[photograph], out=out, overwrite=overwrite, skip_existing=skip_existing)


def _explain_files(
    explainer: Explainer, targets: Any, out: Path, policy: str, as_json: bool, quiet: bool, failed: int
) -> None:
    """Explain each input and report it; exit with an error code if any failed, or some had failed before."""
    from relax.explanation import Failed
    from relax.runs.files import explain_files, only_writer

    several, skipped = len(targets) + failed > 1, 0
    asked: int | None = None
    used: set[int] = set()
    with only_writer(out):
        for result in explain_files(explainer, targets, existing=policy):
            if isinstance(result, Failed):
                failed += 1
                say(f"error: {result.error}")
                continue
            if result.explanation is None:
                skipped += 1
                continue
            used.add(result.row["n_masks"])
            stopping = result.explanation.settings["stopping"] or {}
            asked, target = stopping.get("n_masks"), stopping.get("reliability")
            if as_json:
                emit(json.dumps(result.row))
            else:
                row = result.row
                reliability = "unknown" if row["reliability"] is None else f"{row['reliability']:.3f}"
                if target is not None and row["reliability"] is not None and row["reliability"] < target:
                    reliability += f" (target {target:g} not reached)"
                files = ", ".join(printable(file) for file in row["files"])
                cost = f"{row['n_masks']} masks, reliability {reliability}, {row['seconds']:.1f} s"
                say(f"{printable(_short(row['input'], result.explanation.settings['modality']))}: {cost} -> {files}")
                if not quiet:
                    show_text(result.explanation)
    note_masks(asked, used)
    if skipped:
        say(f"{skipped} skipped: results exist")
    if failed:
        raise typer.Exit(Exit.SOME_FAILED if several else Exit.BAD_INPUT)


def _short(name: str, modality: str) -> str:
    """At most 60 characters: the beginning of a text, the end of a path."""
    name = " ".join(name.split())
    if len(name) <= SHORT:
        return name
    return name[: SHORT - 1] + "…" if modality == "text" else "…" + name[1 - SHORT :]


def _explain_views(explainer: Explainer, views: dict[str, str], out: Path, policy: str, as_json: bool) -> None:
    """Explain the views of one object and report the shares of importance."""
    from relax.multiview.results import files_of
    from relax.runs.files import only_writer, refuse_existing
    from relax.runs.rows import rounded_or_none

    stem = out / Path(next(iter(views.values()))).stem
    expected = [file for key in views for file in files_of(stem, key)]
    with only_writer(out):
        if policy == "refuse":
            refuse_existing(expected, "--overwrite or --skip-existing")
        if policy == "skip" and all(file.exists() for file in expected):
            say("1 skipped: results exist")
            return
        result = explainer(views)
        files = [str(file) for file in result.save(stem)]
    shares = result.shares
    values = {} if shares is None else {key: rounded_or_none(value) for key, value in shares.values.items()}
    errors = {} if shares is None else {key: rounded_or_none(value) for key, value in shares.standard_errors.items()}
    if as_json:
        row = {"views": views, "encoder": explainer.encoder.name, "shares": values, "share_errors": errors}
        emit(json.dumps({**row, "n_masks": next(iter(result.values())).n_masks, "files": files}))
    else:
        known = "unknown to this method" if shares is None else str(shares)
        say(f"shares of importance: {known} -> {', '.join(map(printable, files))}")
