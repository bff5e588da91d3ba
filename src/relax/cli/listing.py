"""``relax list``."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Annotated, Any

import typer

from relax.cli.messages import output
from relax.errors import ArgumentError, UnknownNameError


def list_(
    what: Annotated[
        str,
        typer.Argument(
            help="encoders, methods, masks, fills, modalities, references, similarities, designs, datasets or metrics."
        ),
    ],
) -> None:
    """List the names there are."""
    for name, about in _catalogue(what):
        output(f"{name:<22} {about}".rstrip())


def _catalogue(what: str) -> Iterator[tuple[str, str]]:
    from relax.datasets import DATASETS
    from relax.encoders import ENCODERS
    from relax.estimation.designs import DESIGNS
    from relax.methods import METHODS
    from relax.modalities import MODALITIES
    from relax.modalities.fills import FILLS
    from relax.modalities.masks import MASKS
    from relax.references import REFERENCES
    from relax.references.similarity import SIMILARITIES

    tables: dict[str, Callable[[], Iterator[tuple[str, str]]]] = {
        "encoders": lambda: _rows(ENCODERS, lambda family: getattr(family, "summary", None) or _first_line(family)),
        "methods": lambda: _rows(METHODS, _method),
        "masks": lambda: _documented(MASKS),
        "fills": lambda: _documented(FILLS),
        "modalities": lambda: _documented(MODALITIES),
        "references": lambda: _documented(REFERENCES),
        "similarities": lambda: _documented(SIMILARITIES),
        "designs": lambda: _rows(DESIGNS, lambda design: _first_line(type(design))),
        "datasets": lambda: _rows(DATASETS, lambda source: source.summary),
        "metrics": _metrics,
    }
    if what not in tables:
        raise UnknownNameError(f"unknown list {what!r}; available: {', '.join(tables)}")
    return tables[what]()


def _method(kind: Any) -> str:
    about = f"needs {kind.needs:<20} costs {kind.cost:<44} {kind.source}"
    return f"{about}\n{'':<22} {kind.summary}"


def _documented(table: Any) -> Iterator[tuple[str, str]]:
    return _rows(table, _first_line)


def _rows(table: Any, about: Callable[[Any], str]) -> Iterator[tuple[str, str]]:
    """A row for each name; one that cannot be imported says why in its place."""
    for name in table:
        try:
            yield name, about(table[name])
        except ArgumentError as error:
            yield name, f"({error})"


def _metrics() -> Iterator[tuple[str, str]]:
    from relax.evaluation.metrics import METRICS

    for name, m in METRICS.items():
        yield name, f"{m.better:<8} needs {m.needs:<13} {m.source}\n{'':<22} {m.summary}"


def _first_line(thing: Any) -> str:
    return (thing.__doc__ or "").strip().partition("\n")[0].replace("``", "").rstrip(".")
