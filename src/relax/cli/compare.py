"""``relax compare``."""

from __future__ import annotations

import json
from math import nan
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from relax.cli.messages import emit, say
from relax.cli.options import DEVICE, OVERWRITE, THREADS, set_threads
from relax.cli.parsing import names_of

if TYPE_CHECKING:
    from relax.comparison import Comparison


def compare(
    image: Annotated[Path, typer.Argument(help="A picture.", show_default=False)],
    encoders: Annotated[
        str, typer.Option(help="Comma-separated names from `relax list encoders`.")
    ] = "efficientnet-lite0",
    methods: Annotated[
        str, typer.Option(help="Comma-separated names from `relax list methods`.")
    ] = "relax-regression,smoothgrad,lafam",
    against: Annotated[
        Path | None, typer.Option(help="Reference picture; by default the input is compared with itself.")
    ] = None,
    masks: Annotated[
        int | None, typer.Option(help="Number of masks, for methods that otherwise choose it adaptively.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Random seed.")] = 0,
    threads: THREADS = None,
    out: Annotated[Path, typer.Option(help="Folder for the results.")] = Path("relax-out"),
    device: DEVICE = "auto",
    overwrite: OVERWRITE = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the tables as one JSON object on stdout.")] = False,
) -> None:
    """Compare encoders and methods on one picture; writes NAME-comparison.png."""
    from relax._support.atomic import writable_folder
    from relax.comparison import compare as compare_maps
    from relax.runs.files import only_writer, refuse_existing

    set_threads(threads)
    encoder_names, method_names = names_of("--encoders", encoders), names_of("--methods", methods)
    file = writable_folder(out) / f"{image.stem}-comparison.png"
    with only_writer(out):
        if not overwrite:
            refuse_existing([file])
        result = compare_maps(
            encoder_names,
            str(image),
            method_names,
            None if against is None else str(against),
            n_masks=masks,
            seed=seed,
            device=device,
        )
        result.plot(file)
    for (encoder, method), reason in result.refused.items():
        say(f"note: {encoder}: skipped {method}: {reason}")
    _report(result, image, file, as_json)


def _report(result: Comparison, image: Path, file: Path, as_json: bool) -> None:
    """Print costs and agreement, as JSON or as text."""
    from relax.runs.rows import rounded_or_none

    table: list[dict[str, Any]] = [
        {**row, "reliability": rounded_or_none(row["reliability"])} for row in result.table()
    ]
    agreement: list[dict[str, Any]] = [
        {**row, "spearman": rounded_or_none(row["spearman"])} for row in result.agreement()
    ]
    if as_json:
        emit(json.dumps({"input": str(image), "file": str(file), "table": table, "agreement": agreement}))
        return
    for row in table:
        say(f"{row['encoder']}, {row['method']}: {row['forwards']} forwards, {row['seconds']:.1f} s")
    for row in agreement:
        if row["encoder"] != row["other encoder"] and row["method"] != row["other method"]:
            continue  # the picture and --json show all pairs
        pair = f"{row['encoder']} {row['method']} ~ {row['other encoder']} {row['other method']}"
        spearman = nan if row["spearman"] is None else row["spearman"]
        say(f"{pair}: Spearman {spearman:.2f}, top 20 % overlap {row['top 20 % overlap']:.2f}")
    say(f"-> {file}")
