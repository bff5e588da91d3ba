"""Neighbours on one HTML page that needs no other file."""

from __future__ import annotations

import base64
import io
import warnings
from pathlib import Path
from typing import Any

from PIL import Image

from relax.atomic import atomic_write
from relax.errors import InputError, RelaxWarning
from relax.extras import require
from relax.pictures import open_picture
from relax.version import __version__

SIDE = 220
"""Longest side of a thumbnail in pixels."""


def write_page(path: Path, title: str, about: str, items: list[dict[str, Any]], query: str | None = None) -> None:
    """Write pictures with their similarities and, where there are any, pictures of their matches.

    Args:
        path: of the page.
        title: its heading.
        about: what it shows, in a sentence.
        items: ``{"paths": [PATH, ...], "similarity": S, "match": PNG or None}`` each.
        query: path of the picture that was searched for.
    """
    jinja2 = require("jinja2", extra="match")
    loader = jinja2.PackageLoader("relax.matching", "templates")
    environment = jinja2.Environment(loader=loader, autoescape=True, trim_blocks=True, lstrip_blocks=True)
    small: dict[str, str | None] = {}

    def thumbnail(picture: str) -> str | None:
        if picture not in small:  # a picture may be in many pairs
            small[picture] = _thumbnail(picture)
        return small[picture]

    shown = [
        {
            "pictures": [(p, None if item["match"] else thumbnail(p)) for p in item["paths"]],
            "similarity": item["similarity"],
            "match": _embedded(Path(item["match"]).read_bytes()) if item["match"] else None,
        }
        for item in items
    ]
    page = environment.get_template("matches.html.j2").render(
        title=title,
        about=about,
        query=None if query is None else (query, _thumbnail(query)),
        items=shown,
        version=__version__,
    )
    with atomic_write(path) as file:
        file.write(page.encode())


def _thumbnail(path: str) -> str | None:
    """A small picture as a ``data:`` address; ``None`` if the file has gone since it was indexed."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RelaxWarning)  # what is lost in a thumbnail is nobody's worry
            picture = open_picture(path)
    except InputError:
        return None
    picture.thumbnail((SIDE, SIDE), Image.Resampling.LANCZOS)
    file = io.BytesIO()
    picture.save(file, format="PNG")
    return _embedded(file.getvalue())


def _embedded(png: bytes) -> str:
    return "data:image/png;base64," + base64.b64encode(png).decode()
