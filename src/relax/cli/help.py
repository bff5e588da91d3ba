"""Help of the commands: options in groups by purpose, types that a person reads, examples at the end."""

from __future__ import annotations

import re
from typing import Any

from typer.core import TyperCommand

GROUPS: dict[str, tuple[str, ...]] = {
    "Most used": ("text", "encoder", "encoders", "methods", "method", "masks", "against", "dataset", "k", "to", "out"),
    "What to explain": (
        "row",
        "view",
        "column",
        "weights",
        "pretrained",
        "crop",
        "recursive",
        "every",
        "n",
        "ood",
        "threshold",
        "foreground",
        "source",
        "groups",
        "clusters",
        "projection",
    ),
    "Against what": ("foil", "against_text", "foil_text", "similarity", "explain", "regions"),
    "How well": (
        "max_masks",
        "reliability",
        "budget",
        "metrics",
        "kind",
        "pattern",
        "group",
        "cells",
        "keep",
        "fill",
        "design",
        "option",
        "steps",
        "batch",
        "seed",
    ),
    "Output": ("limit", "overwrite", "skip_existing", "retry_failed", "as_json", "quiet"),
    "Machine": ("device", "engine", "precision", "batch_size", "threads", "workers", "executor"),
}
"""Groups of options, in the order in which they are shown."""

TYPES: dict[str, str] = {
    **dict.fromkeys(("against", "foil", "weights"), "FILE"),
    **dict.fromkeys(("out",), "FOLDER"),
    **dict.fromkeys(
        ("encoder", "method", "kind", "fill", "similarity", "design", "device", "engine", "precision"), "NAME"
    ),
    **dict.fromkeys(("dataset", "ood", "crop", "column", "executor", "to", "projection"), "NAME"),
    **dict.fromkeys(("foreground",), "FOLDER"),
    **dict.fromkeys(("source",), "SOURCE"),
    **dict.fromkeys(("encoders", "methods", "metrics"), "NAMES"),
    **dict.fromkeys(("text", "against_text", "foil_text", "pattern"), "TEXT"),
    **dict.fromkeys(("view",), "NAME=FILE"),
    **dict.fromkeys(("option",), "NAME=VALUE"),
    **dict.fromkeys(("group",), "NAME=COLUMNS"),
    **dict.fromkeys(("masks", "max_masks", "seed", "batch_size", "threads", "k", "n", "limit", "steps", "batch"), "N"),
    **dict.fromkeys(("groups", "clusters"), "N"),
    **dict.fromkeys(("cells",), "N"),
    **dict.fromkeys(("budget", "every", "workers", "row"), "N"),
    **dict.fromkeys(("reliability", "keep", "threshold"), "SHARE"),
}
"""What stands behind an option in the help."""

ARGUMENTS: dict[str, str] = {
    "files": "FILE",
    "names": "NAME",
    "image": "FILE",
    "source": "SOURCE",
    "query": "QUERY",
    "target": "TARGET",
    "index": "FOLDER",
    "store": "STORE",
    "other": "STORE",
    "way": "WAY",
    "what": "KIND",
}
"""Names of arguments in the help."""

EXAMPLES: dict[str, tuple[str, ...]] = {
    "explain": (
        "relax explain photo.jpg",
        "relax explain photos/ --masks 128 --out maps --skip-existing",
        "relax explain photo.jpg --against other.jpg",
        'relax explain --text "the words that matter most"',
        "relax explain rows.csv --row 3 --encoder python:FILE.py:pipeline",
    ),
    "compare": ("relax compare photo.jpg --methods relax,smoothgrad,lafam",),
    "match": ("relax match a.jpg b.jpg --regions", "relax match query.jpg index -k 4 --explain"),
    "run": ("relax run photos/ --out store --masks 64", "relax run table.parquet --column text --out store"),
    "insight": ("relax insight store", "relax insight store other-store --encoder efficientnet-lite0"),
    "export": ("relax export store --to embedding-atlas",),
    "index": ("relax index photos/ --out index",),
    "duplicates": ("relax duplicates index --threshold 0.9 --explain",),
    "evaluate": ("relax evaluate --dataset stamps --methods relax,smoothgrad,random --n 24",),
    "data": ("relax data stamps",),
    "train": ("relax train simclr --out simclr.safetensors",),
    "list": ("relax list methods",),
    "demo": ("relax demo",),
}
"""Examples of each command."""

OTHER = "More"
"""Group of the options that no group names."""


class Command(TyperCommand):
    """A command whose help has groups of options, and examples."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for parameter in self.params:
            if parameter.metavar is None and not getattr(parameter, "is_flag", False):
                names = TYPES if parameter.param_type_name == "option" else ARGUMENTS
                parameter.metavar = names.get(str(parameter.name), "VALUE")

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write the options, group by group."""
        records: dict[str, list[tuple[int, tuple[str, str]]]] = {name: [] for name in (*GROUPS, OTHER)}
        arguments = []
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx)
            if record is None:
                continue
            if parameter.param_type_name == "argument":
                arguments.append((re.sub(r" <.*>$", "", record[0]), record[1]))  # without the type's Python name
                continue
            group, place = _place(str(parameter.name))
            records[group].append((place, record))
        if arguments:
            with formatter.section("Arguments"):
                formatter.write_dl(arguments)
        for group, found in records.items():
            if found:
                with formatter.section(group):
                    formatter.write_dl([record for _, record in sorted(found, key=lambda one: one[0])])

    def format_epilog(self, ctx: Any, formatter: Any) -> None:
        """Write the examples, as they are."""
        examples = EXAMPLES.get(str(ctx.info_name), ())
        if examples:
            formatter.write("\nExamples:\n" + "".join(f"  {line}\n" for line in examples))


def _place(name: str) -> tuple[str, int]:
    """Group of an option, and its place in it."""
    for group, names in GROUPS.items():
        if name in names:
            return group, names.index(name)
    return OTHER, 0
