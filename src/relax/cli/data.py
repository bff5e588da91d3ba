"""``relax data``."""

from __future__ import annotations

from typing import Annotated

import typer

from relax.cli.messages import say


def data(
    names: Annotated[
        list[str] | None,
        typer.Argument(help="stamps, fashion-mnist, python-docs, wordnet; all if none is named.", show_default=False),
    ] = None,
) -> None:
    """Download evaluation data sets to the user's cache ($RELAX_DATA); they keep their own licences."""
    from relax._support.registry import Registry
    from relax.datasets.cache import PACKAGES, fetch

    packages: Registry[object] = Registry("data")
    for name, package in PACKAGES.items():
        packages.add(name, package)
    requested = names or list(PACKAGES)
    for name in requested:
        packages[name]  # raises on an unknown name before anything is downloaded
    for name in requested:
        fetch(PACKAGES[name], say)
