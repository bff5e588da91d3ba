"""``relax list``."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any

import typer

from relax.cli.messages import output


def list_(
    what: Annotated[
        str, typer.Argument(help="encoders, methods, masks, fills, similarities, designs, datasets or metrics.")
    ],
) -> None:
    """List the names there are."""
    for name, about in _catalogue(what):
        output(f"{name:<22} {about}".rstrip())


def _catalogue(what: str) -> Iterator[tuple[str, str]]:
    from relax.registry import Registry

    catalogues: Registry[Any] = Registry("list")
    from relax.datasets import DATASETS
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
    catalogues.add("datasets", ((name, source.summary) for name, source in DATASETS.items()))
    catalogues.add("metrics", _metrics())
    return iter(catalogues[what])


def _metrics() -> Iterator[tuple[str, str]]:
    from relax.evaluation.metrics import METRICS

    for name, m in METRICS.items():
        yield name, f"{m.better:<8} needs {m.needs:<13} {m.source}\n{'':<22} {m.summary}"


def _first_line(thing: Any) -> str:
    return (thing.__doc__ or "").strip().splitlines()[0].replace("``", "").rstrip(".")
