"""Help of the commands: options in groups by purpose, types that a person reads, examples at the end."""

from __future__ import annotations

import re
from typing import Any

from typer.core import TyperCommand, TyperGroup

GROUPS: dict[str, tuple[str, ...]] = {
    "Most used": ("text", "encoder", "encoders", "methods", "method", "masks", "against", "dataset", "k", "to", "out"),
    "What to explain": (
        "row",
        "view",
        "explain",
        "regions",
        "modality",
        "column",
        "weights",
        "pretrained",
        "crop",
        "long",
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
    "Against what": ("foil", "against_text", "foil_text", "similarity"),
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
    **dict.fromkeys(("modality",), "NAME"),
    **dict.fromkeys(
        ("encoder", "method", "kind", "fill", "similarity", "design", "device", "engine", "precision"), "NAME"
    ),
    **dict.fromkeys(("dataset", "ood", "crop", "long", "column", "executor", "to", "projection"), "NAME"),
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

OWN_TYPES: dict[tuple[str, str], str] = {("train", "out"): "FILE", ("export", "out"): "FILE"}
"""Where a command's option differs, by command and option."""

COMMANDS: dict[str, tuple[str, ...]] = {
    "One input": ("explain", "compare", "match"),
    "Many inputs": ("run", "insight", "export", "index", "duplicates"),
    "How well": ("evaluate",),
    "Getting started": ("demo", "list", "data", "train"),
}
"""Groups of commands, in the order in which they are shown."""

ARGUMENTS: dict[str, str] = {
    "files": "FILE",
    "names": "NAME",
    "image": "FILE",
    "source": "SOURCE",
    "query": "QUERY",
    "target": "TARGET",
    "index": "FOLDER",
    "store": "STORE",
    "other": "OTHER",
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
                usual = names.get(str(parameter.name), "VALUE")
                parameter.metavar = OWN_TYPES.get((str(self.name), str(parameter.name)), usual)

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        """The line of usage, with arguments that must be given as they are: FILE, not {FILE}."""
        return [re.sub(r"^\{(.*)\}$", r"\1", piece) for piece in super().collect_usage_pieces(ctx)]

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


class Group(TyperGroup):
    """A group whose help has its commands by purpose, each with its whole first sentence, and examples."""

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Write the commands, group by group."""
        named = {name for names in COMMANDS.values() for name in names}
        rest = tuple(name for name in self.list_commands(ctx) if name not in named)
        for heading, names in (*COMMANDS.items(), (OTHER, rest)):
            found = [(name, self.get_command(ctx, name)) for name in names]
            rows = [(name, re.split(r"(?<=\.)\s", command.help or "")[0]) for name, command in found if command]
            if rows:
                with formatter.section(heading):
                    formatter.write_dl(rows)

    def format_epilog(self, ctx: Any, formatter: Any) -> None:
        """Write the examples, as they are."""
        lines = [EXAMPLES[name][0] for name in ("explain", "match", "run", "list")]
        formatter.write("\nExamples:\n" + "".join(f"  {line}\n" for line in lines))
        formatter.write("\n`relax COMMAND --help` says more.\n")


def _place(name: str) -> tuple[str, int]:
    """Group of an option, and its place in it."""
    for group, names in GROUPS.items():
        if name in names:
            return group, names.index(name)
    return OTHER, 0
