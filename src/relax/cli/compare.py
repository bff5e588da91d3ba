"""``relax compare``."""

from __future__ import annotations

import json
from math import nan
from pathlib import Path
from typing import Annotated

import typer

from relax.cli.messages import output, say
from relax.cli.options import THREADS, set_threads
from relax.cli.parsing import names_of


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
    threads: THREADS = None,
    out: Annotated[Path, typer.Option(help="Folder for the results.")] = Path("relax-out"),
    as_json: Annotated[bool, typer.Option("--json", help="The tables as one JSON object on stdout.")] = False,
) -> None:
    """Compare encoders and methods on one picture: NAME-comparison.png."""
    from relax.comparison.comparing import compare as compare_maps
    from relax.runs.files import known
    from relax.runs.naming import usable

    set_threads(threads)

    result = compare_maps(
        names_of("--encoders", encoders),
        str(image),
        names_of("--methods", methods),
        None if against is None else str(against),
        n_masks=masks,
        seed=seed,
    )
    file = usable(out) / f"{image.stem}-comparison.png"
    result.plot(file)
    for (encoder, method), reason in result.refused.items():
        say(f"note: {method} of {encoder} left out: {reason}")
    table = [{**row, "reliability": known(row["reliability"])} for row in result.table()]
    agreement = [{**row, "spearman": known(row["spearman"])} for row in result.agreement()]
    if as_json:
        output(json.dumps({"input": str(image), "file": str(file), "table": table, "agreement": agreement}))
        return
    for row in table:
        say(f"{row['encoder']}, {row['method']}: {row['forwards']} forwards, {row['seconds']:.1f} s")
    for row in agreement:
        if row["encoder"] != row["other encoder"] and row["method"] != row["other method"]:
            continue  # the picture and --json have all pairs
        pair = f"{row['encoder']} {row['method']} ~ {row['other encoder']} {row['other method']}"
        say(f"{pair}: Spearman {row['spearman'] or nan:.2f}, top 20 % overlap {row['top 20 % overlap']:.2f}")
    say(f"-> {file}")
