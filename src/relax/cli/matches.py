"""What `relax match` and `relax duplicates` share: encoders, rows and pages."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from relax.cli.messages import emit, printable, say

if TYPE_CHECKING:
    from relax.encoders import Encoder

SHOWN = 100
"""Maximum number of characters of a passage on the terminal."""


def load(name: str, device: str) -> Encoder:
    """Load an encoder."""
    from relax.encoders import load_encoder

    return load_encoder(name, device=device)


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
    path: Path, title: str, subtitle: str, rows: list[dict[str, Any]], query: str | Path | None = None
) -> None:
    """Write the page of all matches and say where it is."""
    from relax.retrieval.page import write_page

    write_page(path, title, subtitle, rows, query)
    say(f"-> {printable(str(path))}")
