"""The command line. Heavy imports wait inside the commands, so that ``relax --help`` answers at once."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
import warnings
from collections.abc import Iterator
from enum import IntEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from relax.errors import ArgumentError, EncoderError, InputError, RelaxError, RelaxWarning
from relax.version import __version__

if TYPE_CHECKING:
    from relax.encoders import Encoder


class Exit(IntEnum):
    """Exit codes."""

    OK = 0
    SOME_FAILED = 1
    BAD_INPUT = 2
    INTERRUPTED = 130


class _Reporting(TyperGroup):
    """Runs a command; errors of the package become one line on stderr and an exit code."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            _say("interrupted; finished files are kept")
            raise typer.Exit(Exit.INTERRUPTED) from None
        except RelaxError as error:
            _say(f"error: {error}")
            raise typer.Exit(Exit.BAD_INPUT) from error


app = typer.Typer(
    name="relax",
    cls=_Reporting,
    help="What is this embedding made of, and how sure are we?",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


def main() -> None:
    """Entry point."""
    warnings.showwarning = _show_warning
    signal.signal(signal.SIGTERM, _interrupt)
    app()


def _version(asked: bool) -> None:
    if asked:
        _print(f"relax {__version__}")
        raise typer.Exit()


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version and leave.", is_eager=True, callback=_version)
    ] = False,
) -> None:
    pass


@app.command()
def explain(
    images: Annotated[list[Path], typer.Argument(help="Pictures, or folders of pictures.", show_default=False)],
    encoder: Annotated[str, typer.Option(help="Name from `relax list encoders`.")] = "efficientnet-lite0",
    weights: Annotated[Path | None, typer.Option(help="Local weights for the encoder.")] = None,
    pretrained: Annotated[bool, typer.Option(help="Use the encoder's trained weights.")] = True,
    crop: Annotated[str | None, typer.Option(help="'center' for the model's evaluation transform.")] = None,
    against: Annotated[Path | None, typer.Option(help="Compare with this picture instead of the input itself.")] = None,
    method: Annotated[str, typer.Option(help="Name from `relax list methods`.")] = "relax",
    masks: Annotated[int | None, typer.Option(help="Number of masks; as many as it takes if not given.")] = None,
    max_masks: Annotated[int, typer.Option(help="Limit when --masks is not given.")] = 3000,
    reliability: Annotated[float, typer.Option(help="Target when --masks is not given.")] = 0.98,
    seed: Annotated[int, typer.Option(help="Seed of the masks.")] = 0,
    kind: Annotated[str, typer.Option(help="Kind of masks, from `relax list masks`.")] = "grid",
    cells: Annotated[str | None, typer.Option(help="Grid cells a side, or ROWSxCOLUMNS.", metavar="N|RxC")] = None,
    keep: Annotated[float, typer.Option(help="Probability that a unit is kept.")] = 0.5,
    fill: Annotated[str, typer.Option(help="Name from `relax list fills`, a colour, or a picture.")] = "mean",
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
    threads: Annotated[int | None, typer.Option(help="CPU threads; torch's choice if not given.")] = None,
    out: Annotated[Path, typer.Option(help="Folder for the results.")] = Path("relax-out"),
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a picture on stdout.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress bar.")] = False,
) -> None:
    """Explain pictures: NAME.png and NAME.npz for each, in the output folder."""
    pictures = _pictures(images)
    targets = _targets(pictures, out)

    import torch

    from relax import masks as masks_
    from relax.encoders import load_encoder

    if threads is not None:
        torch.set_num_threads(threads)
    options: dict[str, Any] = {"keep": keep} if kind in masks_.MASKS and (cells or keep != 0.5) else {}
    if cells is not None:
        options["cells"] = _cells(cells)
    arguments: dict[str, Any] = {
        "method": method,
        "n_masks": masks,
        "max_masks": max_masks,
        "reliability": reliability,
        "seed": seed,
        "masks": masks_.create(kind, **options) if options else kind,
        "fill": fill,
        "similarity": similarity,
        "design": design,
        "batch_size": batch_size if batch_size == "auto" else _whole("--batch-size", batch_size),
        "precision": precision,
        **_options(option or []),
    }
    loading: dict[str, Any] = {"device": device, "crop": crop}
    if weights is not None:
        loading["weights"] = str(weights)
    if not pretrained:
        loading["pretrained"] = False
    loaded = load_encoder(encoder, **loading)
    reference = None if against is None else loaded.prepare(against)
    failed = 0
    for picture, stem in targets:
        try:
            _explain_one(loaded, picture, stem, reference, arguments, as_json, not quiet)
        except (InputError, EncoderError) as error:
            failed += 1
            _say(f"error: {error}")
    if failed:
        raise typer.Exit(Exit.SOME_FAILED if len(targets) > 1 else Exit.BAD_INPUT)


@app.command()
def compare(
    image: Annotated[Path, typer.Argument(help="A picture.", show_default=False)],
    encoders: Annotated[
        str, typer.Option(help="Names from `relax list encoders`, with commas.")
    ] = "efficientnet-lite0",
    methods: Annotated[
        str, typer.Option(help="Names from `relax list methods`, with commas.")
    ] = "relax,smoothgrad,lafam",
    against: Annotated[Path | None, typer.Option(help="Compare with this picture instead of the input itself.")] = None,
    masks: Annotated[int | None, typer.Option(help="Number of masks of methods that stop by themselves.")] = None,
    seed: Annotated[int, typer.Option(help="Seed.")] = 0,
    out: Annotated[Path, typer.Option(help="Folder for the results.")] = Path("relax-out"),
    as_json: Annotated[bool, typer.Option("--json", help="The tables as one JSON object on stdout.")] = False,
) -> None:
    """Compare encoders and methods on one picture: NAME-comparison.png."""
    (_, stem), *_ = _targets([image], out)
    from relax.comparison import compare as compare_maps

    result = compare_maps(
        encoders.split(","),
        str(image),
        methods.split(","),
        None if against is None else str(against),
        n_masks=masks,
        seed=seed,
    )
    file = stem.with_name(f"{stem.name}-comparison.png")
    result.plot(file)
    for (encoder, method), reason in result.refused.items():
        _say(f"note: {method} of {encoder} left out: {reason}")
    table, agreement = result.table(), result.agreement()
    if as_json:
        _print(json.dumps({"input": str(image), "file": str(file), "table": table, "agreement": agreement}))
        return
    for row in table:
        _say(f"{row['encoder']}, {row['method']}: {row['forwards']} forwards, {row['seconds']:.1f} s")
    for row in agreement:
        if row["encoder"] != row["other encoder"] and row["method"] != row["other method"]:
            continue  # the picture and --json have all pairs
        pair = f"{row['encoder']} {row['method']} ~ {row['other encoder']} {row['other method']}"
        _say(f"{pair}: Spearman {row['spearman']:.2f}, top 20 % overlap {row['top 20 % overlap']:.2f}")
    _say(f"-> {file}")


@app.command("list")
def list_(
    what: Annotated[str, typer.Argument(help="encoders, methods, masks, fills, similarities or designs.")],
) -> None:
    """List the names there are."""
    for name, about in _catalogue(what):
        _print(f"{name:<22} {about}".rstrip())


@app.command()
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
    _make_folder(stem.parent)
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
            "reliability": None if result.reliability != result.reliability else round(result.reliability, 6),
            "seconds": round(seconds, 3),
            "files": [str(file) for file in files],
        }
        _print(json.dumps(row))
    else:
        _say(
            f"{picture}: {result.n_masks} masks, reliability {result.reliability:.3f}, {seconds:.1f} s "
            f"-> {files[0]}, {files[1].name}"
        )


def _pictures(paths: list[Path]) -> list[Path]:
    """The pictures that were named, those in folders included."""
    from relax.pictures import files_in

    found: list[Path] = []
    for path in paths:
        if path.is_dir():
            inside = files_in(path)
            if not inside:
                raise InputError(f"{path}: no pictures in this folder")
            found += inside
        else:
            found.append(path)
    return found


def _targets(pictures: list[Path], out: Path) -> list[tuple[Path, Path]]:
    """Where each picture's results go (without ending); equal names are numbered, inputs are never overwritten."""
    _make_folder(out)
    if not os.access(out, os.W_OK):
        raise ArgumentError(f"{out}: cannot write to this folder; choose another --out")
    inputs = {picture.resolve() for picture in pictures}
    taken: set[str] = set()
    targets = []
    for picture in pictures:
        name, number = picture.stem, 1
        while name in taken:
            number += 1
            name = f"{picture.stem}-{number}"
        taken.add(name)
        if (out / f"{name}.png").resolve() in inputs:
            raise ArgumentError(f"{out / name}.png is an input and would be overwritten; choose another --out")
        targets.append((picture, out / name))
    return targets


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ArgumentError(f"{folder}: cannot make this folder: {error.strerror}; choose another --out") from error


def _catalogue(what: str) -> Iterator[tuple[str, str]]:
    from relax.registry import Registry

    catalogues: Registry[Any] = Registry("list")
    from relax.designs import DESIGNS
    from relax.encoders import ENCODERS
    from relax.fills import FILLS
    from relax.masks import MASKS
    from relax.methods import METHODS
    from relax.similarity import SIMILARITIES

    catalogues.add("encoders", ((name, family.summary) for name, family in ENCODERS.items()))
    about = "needs {m.needs:<20} costs {m.cost:<44} {m.source}\n{blank:<22} {m.summary}"
    catalogues.add("methods", ((m.name, about.format(m=m, blank="")) for _, m in METHODS.items()))
    catalogues.add("masks", ((name, _first_line(kind)) for name, kind in MASKS.items()))
    catalogues.add("fills", ((name, _first_line(kind)) for name, kind in FILLS.items()))
    catalogues.add("similarities", ((name, _first_line(kind)) for name, kind in SIMILARITIES.items()))
    catalogues.add("designs", ((name, _first_line(type(design))) for name, design in DESIGNS.items()))
    return iter(catalogues[what])


def _first_line(thing: Any) -> str:
    return (thing.__doc__ or "").strip().splitlines()[0].replace("``", "").rstrip(".")


def _cells(text: str) -> int | tuple[int, int]:
    sides = [_whole("--cells", side) for side in text.lower().split("x")]
    if len(sides) == 1:
        return sides[0]
    if len(sides) == 2:
        return (sides[0], sides[1])
    raise ArgumentError(f"expected --cells as N or ROWSxCOLUMNS, got {text!r}")


def _whole(option: str, text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise ArgumentError(f"expected {option} to be a whole number, got {text!r}") from None


def _options(texts: list[str]) -> dict[str, str | int | float]:
    """NAME=VALUE, numbers as numbers."""
    options: dict[str, str | int | float] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not name or not equals:
            raise ArgumentError(f"expected --option as NAME=VALUE, got {text!r}")
        options[name.replace("-", "_")] = _number_or_name(value)
    return options


def _number_or_name(text: str) -> str | int | float:
    for kind in (int, float):
        with contextlib.suppress(ValueError):
            return kind(text)
    return text


def _print(line: str) -> None:
    """To stdout: what the user asked for."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def _say(line: str) -> None:
    """To stderr: everything else."""
    sys.stderr.write(f"relax: {line}\n")


def _show_warning(message: Warning | str, category: type[Warning], *_: Any, **__: Any) -> None:
    if issubclass(category, RelaxWarning):
        _say(f"note: {message}")


def _interrupt(*_: Any) -> None:
    raise KeyboardInterrupt
