"""What `relax match` and `relax duplicates` share: encoders of indexes, rows and pages."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from relax.cli.encoders import loaded
from relax.cli.messages import emit, printable, say

if TYPE_CHECKING:
    from relax.encoders import Encoder
    from relax.retrieval.index import Index

SHOWN = 100
"""Maximum number of characters of a passage on the terminal."""


def encoder_of(index: Index, name: str | None, device: str, **options: Any) -> Encoder:
    """Load the encoder of an index.

    Args:
        index: the index.
        name: name of the encoder; ``None`` for the one that made the index.
        device: device to load it on.
        options: options of the encoder; ``None`` for those that the index was made with.

    Raises:
        ArgumentError: another encoder made the index.
    """
    from relax.encoders.loading import options_in

    about = index.about["encoder"]
    given = {key: value for key, value in options.items() if value is not None}
    options = (options_in(about) if name in (None, about["name"]) else {}) | given
    encoder = loaded(name or about["name"], index.about["modality"], device, data=about.get("data"), **options)
    index.check(encoder)
    return encoder


def print_row(row: dict[str, Any], as_json: bool, *names: str) -> None:
    """Print one match on stdout."""
    from relax.retrieval.rows import public

    if as_json:
        emit(json.dumps(public(row)))
        return
    files = f" -> {row['files'][0]}" if row["files"] else ""
    shown = [shortened(name) for name in names]
    if "text" in row:
        shown.append(f"“{shortened(row['text'])}”")
    emit(f"{row['similarity']:.4f}  {'  '.join(shown)}{files}")


def shortened(text: str) -> str:
    """A text on one line of the terminal."""
    line = " ".join(text.split())
    return line if len(line) <= SHOWN else f"{line[: SHOWN - 1]}…"


def write_matches(
    path: Path, title: str, subtitle: str, rows: list[dict[str, Any]], query: Any = None, card: str | None = None
) -> None:
    """Write the page of all matches and say where it is."""
    from relax.retrieval.page import write_page

    write_page(path, title, subtitle, rows, query, card)
    say(f"-> {printable(str(path))}")
