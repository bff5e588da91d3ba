"""Matches on one self-contained HTML page."""

from __future__ import annotations

import base64
import io
import warnings
from pathlib import Path
from typing import Any

from PIL import Image

from relax._support.atomic import atomic_write
from relax._support.extras import require
from relax._support.version import __version__
from relax.errors import ArgumentError, InputError, RelaxWarning
from relax.modalities.image.pictures import open_picture

SIDE = 220
"""Longest side of a thumbnail in pixels."""


def write_page(path: Path, title: str, about: str, rows: list[dict[str, Any]], query: str | None = None) -> None:
    """Write a page of matches with their similarities and explanations.

    Args:
        path: file to write.
        title: heading of the page.
        about: one sentence on what the page shows.
        rows: matches, as from :mod:`relax.retrieval.rows`.
        query: path of the query picture; ``None`` for a page of pairs.

    Raises:
        ArgumentError: the page cannot be written.
    """
    jinja2 = require("jinja2", extra="match")
    loader = jinja2.PackageLoader("relax.retrieval", "templates")
    environment = jinja2.Environment(loader=loader, autoescape=True, trim_blocks=True, lstrip_blocks=True)
    thumbnails: dict[str, str | None] = {}

    def thumbnail(picture: str) -> str | None:
        if picture not in thumbnails:  # a picture may be in many pairs
            thumbnails[picture] = _thumbnail(picture)
        return thumbnails[picture]

    items = []
    for row in rows:
        paths = [row["match"]] if query is not None else [row["query"], row["match"]]
        picture = row["files"][0] if row["files"] else None
        items.append(
            {
                "pictures": [(_text(path), None if picture else thumbnail(path)) for path in paths],
                "similarity": row["similarity"],
                "match": _embedded(Path(picture).read_bytes()) if picture else None,
            }
        )
    page = environment.get_template("matches.html.j2").render(
        title=title,
        about=about,
        query=None if query is None else (_text(query), _thumbnail(query)),
        items=items,
        version=__version__,
    )
    try:
        with atomic_write(path) as file:
            file.write(page.encode())
    except OSError as error:
        raise ArgumentError(f"{path}: cannot be written: {error.strerror or error}") from error


def _text(path: str) -> str:
    """A file name as text, with undecodable bytes escaped."""
    return path.encode("utf-8", "backslashreplace").decode()


def _thumbnail(path: str) -> str | None:
    """A thumbnail as a ``data:`` URL; ``None`` if the file can no longer be read."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RelaxWarning)  # such as alpha compositing: irrelevant for a thumbnail
            picture = open_picture(path)
    except InputError:
        return None
    picture.thumbnail((SIDE, SIDE), Image.Resampling.LANCZOS)
    file = io.BytesIO()
    picture.save(file, format="PNG")
    return _embedded(file.getvalue())


def _embedded(png: bytes) -> str:
    """PNG bytes as a ``data:`` URL."""
    return "data:image/png;base64," + base64.b64encode(png).decode()
