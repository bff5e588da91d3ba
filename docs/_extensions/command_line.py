"""The reference of the command line, written from its own help when the site is built."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx

WIDTH = 96
"""Columns of the help on the page."""

HEAD = """# Command line

This page is the output of `relax --help` and of `relax COMMAND --help`.

| exit code | means |
|---|---|
| 0 | everything was done |
| 1 | some inputs of a batch failed, each with a line on stderr; the others were done |
| 2 | bad input or arguments: one line on stderr says what was expected and what came; nothing half-written |
| 130 | interrupted; finished files are kept |

`--json` prints one JSON object per line on stdout and nothing else there. Progress and messages go to stderr.

"""


def _sections() -> list[str]:
    """One section for the program, and one for each of its commands."""
    import typer

    from relax.cli import app

    os.environ["COLUMNS"] = str(WIDTH)
    group: Any = typer.main.get_command(app)
    context = group.make_context("relax", [], resilient_parsing=True)
    context.max_content_width = WIDTH
    sections = [f"## relax\n\n```text\n{group.get_help(context)}\n```\n"]
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        inner = command.make_context(name, [], parent=context, resilient_parsing=True)
        sections.append(f"## relax {name}\n\n```text\n{command.get_help(inner)}\n```\n")
    return sections


def _write(app: Sphinx) -> None:
    page = Path(app.srcdir) / "reference" / "command-line.md"
    text = HEAD + "\n".join(_sections())
    if not page.exists() or page.read_text() != text:
        page.write_text(text)


def setup(app: Sphinx) -> dict[str, Any]:
    """Write the page before the sources are read."""
    app.connect("builder-inited", _write)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
