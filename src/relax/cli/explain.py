"""``relax explain`` and ``relax demo``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from relax.cli.messages import Exit, output, say, shown
from relax.cli.options import (
    DEVICE,
    JSON,
    OUT,
    OVERWRITE,
    PRECISION,
    QUIET,
    SKIP_EXISTING,
    THREADS,
    existing,
    set_threads,
)
from relax.cli.parsing import cells_of, options_of, views_of, whole
from relax.cli.reference import reference_of
from relax.errors import ArgumentError

if TYPE_CHECKING:
    from relax.encoders import Encoder
    from relax.explainer import Explainer


def explain(
    images: Annotated[
        list[Path] | None, typer.Argument(help="Pictures, or folders of pictures.", show_default=False)
    ] = None,
    view: Annotated[
        list[str] | None, typer.Option(help="NAME=FILE of one view (.npy for a vector); repeatable, without IMAGES.")
    ] = None,
    encoder: Annotated[str, typer.Option(help="Name from `relax list encoders`.")] = "efficientnet-lite0",
    weights: Annotated[Path | None, typer.Option(help="Local weights for the encoder.")] = None,
    pretrained: Annotated[bool, typer.Option(help="Use the encoder's trained weights.")] = True,
    crop: Annotated[str | None, typer.Option(help="'center' for the model's evaluation transform.")] = None,
    against: Annotated[
        Path | None, typer.Option(help="Compare with this picture, or those in this folder, not with the input itself.")
    ] = None,
    foil: Annotated[Path | None, typer.Option(help="Rather than with this picture, or those in this folder.")] = None,
    text: Annotated[str | None, typer.Option(help="Compare with this sentence (encoders with a text tower).")] = None,
    text_foil: Annotated[list[str] | None, typer.Option(help="Rather than with this sentence; repeatable.")] = None,
    method: Annotated[
        str | None,
        typer.Option(help="Name from `relax list methods`; relax-fine for pictures if not given, relax with a --kind."),
    ] = None,
    masks: Annotated[int | None, typer.Option(help="Number of masks; as many as it takes if not given.")] = None,
    max_masks: Annotated[int, typer.Option(help="Limit when --masks is not given.")] = 3000,
    reliability: Annotated[float, typer.Option(help="Target when --masks is not given.")] = 0.98,
    seed: Annotated[int, typer.Option(help="Seed of the masks.")] = 0,
    kind: Annotated[
        str | None, typer.Option(help="Kind of masks, from `relax list masks`; the method's own if not given.")
    ] = None,
    cells: Annotated[
        str | None, typer.Option(help="Cells a side of --kind grid, or ROWSxCOLUMNS.", metavar="N")
    ] = None,
    keep: Annotated[float | None, typer.Option(help="Probability that a unit of --kind is kept; 0.5.")] = None,
    fill: Annotated[
        str | None,
        typer.Option(help="Name from `relax list fills`, a colour, or a picture; the method's own if not given."),
    ] = None,
    similarity: Annotated[
        str | None, typer.Option(help="Name from `relax list similarities`; the method's own if not given.")
    ] = None,
    design: Annotated[str, typer.Option(help="Name from `relax list designs`.")] = "foldover",
    option: Annotated[
        list[str] | None, typer.Option("--option", "-o", help="Of the method: NAME=VALUE; repeatable.")
    ] = None,
    batch_size: Annotated[str, typer.Option(help="Rows in a forward, or 'auto'.")] = "auto",
    precision: PRECISION = "auto",
    device: DEVICE = "auto",
    threads: THREADS = None,
    out: OUT = Path("relax-out"),
    recursive: Annotated[bool, typer.Option("--recursive", help="Also folders below those that are named.")] = False,
    overwrite: OVERWRITE = False,
    skip_existing: SKIP_EXISTING = False,
    as_json: JSON = False,
    quiet: QUIET = False,
) -> None:
    """Explain pictures: NAME.png and NAME.npz for each, in the output folder."""
    if bool(images) == bool(view):
        raise ArgumentError("expected pictures, or one --view NAME=FILE for each view of an object")
    if view and (against or foil or text or text_foil):
        raise ArgumentError("--against, --foil, --text and --text-foil compare pictures; they do not go with --view")
    views = views_of(view or [])
    policy = existing(overwrite, skip_existing)
    from relax.encoders import load_encoder
    from relax.explainer import Explainer
    from relax.modalities import MODALITIES
    from relax.runs.naming import inputs_of, targets_of, usable

    set_threads(threads)
    sources = inputs_of(images or [], MODALITIES["image"](), recursive)  # said before a network is loaded
    targets = targets_of(sources, usable(out))
    asked = {
        "crop": crop,
        "weights": None if weights is None else str(weights),
        "pretrained": None if pretrained else False,
    }
    loaded = load_encoder(encoder, device=device, **{k: v for k, v in asked.items() if v is not None})
    own: dict[str, Any] = dict(options_of(option or []))
    explainer = Explainer(
        loaded,
        reference_of(loaded, against, foil, text, text_foil),
        method=method,
        n_masks=masks,
        max_masks=max_masks,
        reliability=reliability,
        seed=seed,
        masks=_masks(loaded, kind, cells, keep),
        fill=fill,
        similarity=similarity,
        design=design,
        batch_size=batch_size if batch_size == "auto" else whole("--batch-size", batch_size),
        precision=precision,
        progress=not quiet,
        **own,
    )
    if views:
        _explain_views(explainer, views, out, as_json)
    else:
        _explain_files(explainer, targets, out, policy, as_json)


def demo(out: OUT = Path("relax-out")) -> None:
    """Explain a photograph that comes with scikit-image, and say where the pictures are."""
    import skimage

    photograph = Path(skimage.__file__).parent / "data" / "chelsea.png"
    explain(images=[photograph], out=out, overwrite=True)


def _masks(encoder: Encoder, kind: str | None, cells: str | None, keep: float | None) -> Any:
    """The masks that the options describe; those of the encoder for patches."""
    if kind is None:
        if cells is not None or keep is not None:
            raise ArgumentError("--cells and --keep describe a kind of masks; name it by --kind, such as --kind grid")
        return None
    from relax.modalities import masks as masks_

    options: dict[str, Any] = {} if keep is None else {"keep": keep}
    if cells is not None:
        options["cells"] = cells_of(cells)
    if kind == "patches":
        options["patch"] = masks_.patch_size(encoder.patch)
    return masks_.create(kind, **options) if options else kind


def _explain_files(explainer: Explainer, targets: Any, out: Path, policy: str, as_json: bool) -> None:
    from relax.explanation import Failed
    from relax.runs.files import explain_files, only_writer

    failed = skipped = 0
    with only_writer(out):
        for result in explain_files(explainer, targets, existing=policy):
            if isinstance(result, Failed):
                failed += 1
                say(f"error: {result.error}")
            elif not result.row:
                skipped += 1
            elif as_json:
                output(json.dumps(result.row))
            else:
                row = result.row
                trust = "unknown" if row["reliability"] is None else f"{row['reliability']:.3f}"
                files = ", ".join(shown(file) for file in row["files"])
                cost = f"{row['n_masks']} masks, reliability {trust}, {row['seconds']:.1f} s"
                say(f"{shown(row['input'])}: {cost} -> {files}")
    if skipped:
        say(f"{skipped} skipped: their results exist")
    if failed:
        raise typer.Exit(Exit.SOME_FAILED if len(targets) > 1 else Exit.BAD_INPUT)


def _explain_views(explainer: Explainer, views: dict[str, str], out: Path, as_json: bool) -> None:
    from relax.runs.files import known, only_writer

    result = explainer(views)
    shares = result.shares
    known_shares = {} if shares is None else {key: known(value) for key, value in shares.values.items()}
    errors = {} if shares is None else {key: known(value) for key, value in shares.standard_errors.items()}
    with only_writer(out):
        files = [str(file) for file in result.save(out / Path(next(iter(views.values()))).stem)]
    if as_json:
        about = {"views": views, "encoder": explainer.encoder.name, "shares": known_shares, "share_errors": errors}
        output(json.dumps({**about, "n_masks": next(iter(result.values())).n_masks, "files": files}))
    else:
        say(f"shares of importance: {shares} -> {', '.join(map(shown, files))}")
