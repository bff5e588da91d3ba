"""``relax explain`` and ``relax demo``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from relax.cli.files import make_folder, pictures_of, targets_of
from relax.cli.messages import Exit, known, output, say
from relax.cli.parsing import cells_of, options_of, views_of, whole
from relax.cli.reference import reference_of
from relax.cli.threads import THREADS, set_threads
from relax.errors import ArgumentError, EncoderError, InputError

if TYPE_CHECKING:
    from relax.encoders import Encoder


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
    cells: Annotated[str | None, typer.Option(help="Grid cells a side, or ROWSxCOLUMNS.", metavar="N|RxC")] = None,
    keep: Annotated[float, typer.Option(help="Probability that a unit is kept.")] = 0.5,
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
    precision: Annotated[str, typer.Option(help="auto, float32, bfloat16 or float16.")] = "auto",
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, mps, ...")] = "auto",
    threads: THREADS = None,
    out: Annotated[Path, typer.Option(help="Folder for the results.")] = Path("relax-out"),
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a picture on stdout.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress bar.")] = False,
) -> None:
    """Explain pictures: NAME.png and NAME.npz for each, in the output folder."""
    if bool(images) == bool(view):
        raise ArgumentError("expected pictures, or one --view NAME=FILE for each view of an object")
    if view and (against or foil or text or text_foil):
        raise ArgumentError("--against, --foil, --text and --text-foil compare pictures; they do not go with --view")
    sources = views_of(view or [])
    targets = targets_of(pictures_of(images or []), out)

    from relax import masks as masks_
    from relax.encoders import load_encoder

    set_threads(threads)
    if kind is None and (cells or keep != 0.5):
        kind = "grid"
    options: dict[str, Any] = {"keep": keep} if kind and kind in masks_.MASKS and (cells or keep != 0.5) else {}
    if cells is not None:
        options["cells"] = cells_of(cells)
    arguments: dict[str, Any] = {
        "method": method,
        "n_masks": masks,
        "max_masks": max_masks,
        "reliability": reliability,
        "seed": seed,
        "masks": masks_.create(str(kind), **options) if options else kind,
        "fill": fill,
        "similarity": similarity,
        "design": design,
        "batch_size": batch_size if batch_size == "auto" else whole("--batch-size", batch_size),
        "precision": precision,
        **options_of(option or []),
    }
    loading: dict[str, Any] = {"device": device}
    if crop is not None:
        loading["crop"] = crop
    if weights is not None:
        loading["weights"] = str(weights)
    if not pretrained:
        loading["pretrained"] = False
    loaded = load_encoder(encoder, **loading)
    if sources:
        _explain_views(loaded, sources, out, arguments, as_json, not quiet)
        return
    reference = reference_of(loaded, against, foil, text, text_foil)
    failed = 0
    for picture, stem in targets:
        try:
            _explain_one(loaded, picture, stem, reference, arguments, as_json, not quiet)
        except (InputError, EncoderError) as error:
            failed += 1
            say(f"error: {error}")
    if failed:
        raise typer.Exit(Exit.SOME_FAILED if len(targets) > 1 else Exit.BAD_INPUT)


def _explain_views(
    encoder: Encoder, views: dict[str, str], out: Path, arguments: dict[str, Any], as_json: bool, progress: bool
) -> None:
    from relax.api import explain as explain_input

    result = explain_input(encoder, views, progress=progress, **arguments)
    shares = result.shares
    known_shares = {} if shares is None else {key: known(value) for key, value in shares.values.items()}
    errors = {} if shares is None else {key: known(value) for key, value in shares.standard_errors.items()}
    files = [str(file) for file in result.save(out / Path(next(iter(views.values()))).stem)]
    if as_json:
        about = {"views": views, "encoder": encoder.name, "shares": known_shares, "share_errors": errors}
        output(json.dumps({**about, "n_masks": next(iter(result.values())).n_masks, "files": files}))
    else:
        say(f"shares of importance: {shares} -> {', '.join(files)}")


def demo(out: Annotated[Path, typer.Option(help="Folder for the results.")] = Path("relax-out")) -> None:
    """Explain a photograph that comes with scikit-image, and say where the pictures are."""
    import skimage

    photograph = Path(skimage.__file__).parent / "data" / "chelsea.png"
    explain(images=[photograph], out=out)


def _explain_one(
    encoder: Encoder,
    picture: Path,
    stem: Path,
    against: Any,
    arguments: dict[str, Any],
    as_json: bool,
    progress: bool,
) -> None:
    from relax.api import explain as explain_input

    result = explain_input(encoder, str(picture), against, progress=progress, **arguments)
    files = [stem.with_name(stem.name + ending) for ending in (".png", ".npz")]
    make_folder(stem.parent)
    try:
        result.plot(files[0])
        result.save(files[1])
    except OSError as error:
        raise ArgumentError(f"{error.filename or stem.parent}: cannot be written: {error.strerror or error}") from error
    seconds = result.settings["cost"]["seconds"]
    if as_json:
        row = {
            "input": str(picture),
            "encoder": encoder.name,
            "method": result.settings["method"],
            "n_masks": result.n_masks,
            "reliability": known(result.reliability),
            "score": known(result.score),
            "against": result.settings["against"],
            "neutral": known(result.neutral) if result.signed else None,
            "seconds": round(seconds, 3),
            "files": [str(file) for file in files],
        }
        output(json.dumps(row))
    else:
        say(
            f"{picture}: {result.n_masks} masks, reliability {result.reliability:.3f}, {seconds:.1f} s "
            f"-> {files[0]}, {files[1].name}"
        )
