"""``relax list``."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Annotated, Any

import typer

from relax.cli.messages import emit
from relax.errors import ArgumentError, UnknownNameError


def list_(
    what: Annotated[
        str,
        typer.Argument(
            help="encoders, methods, masks, fills, modalities, references, similarities, designs, datasets or metrics."
        ),
    ],
) -> None:
    """List the available names."""
    for name, description in _catalogue(what):
        for number, line in enumerate(description.splitlines() or [""]):
            emit(f"{'' if number else name:<22} {line}".rstrip())


def _catalogue(what: str) -> Iterator[tuple[str, str]]:
    """Names of one kind and their descriptions."""
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
    facts = f"needs {kind.needs:<20} costs {kind.cost:<44} {kind.source}"
    return f"{facts}\n{kind.summary}"


def _documented(table: Any) -> Iterator[tuple[str, str]]:
    return _rows(table, _first_line)


def _rows(table: Any, describe: Callable[[Any], str]) -> Iterator[tuple[str, str]]:
    """Each name and its description, or the reason why it cannot be imported."""
    for name in table:
        try:
            yield name, describe(table[name])
        except ArgumentError as error:
            yield name, f"({error})"


def _metrics() -> Iterator[tuple[str, str]]:
    from relax.evaluation.metrics import METRICS

    for name, metric in METRICS.items():
        yield name, f"{metric.better:<8} needs {metric.needs:<13} {metric.source}\n{metric.summary}"


def _first_line(documented: Any) -> str:
    return (documented.__doc__ or "").strip().partition("\n")[0].replace("``", "").rstrip(".")
