"""Matches on one self-contained HTML page."""

from __future__ import annotations

import base64
import io
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from PIL import Image

from relax._support.atomic import atomic_write
from relax._support.extras import require
from relax._support.version import __version__
from relax.errors import InputError, RelaxWarning
from relax.modalities.image.pictures import open_picture
from relax.retrieval.entries import Entry

SIDE = 220
"""Longest side of a thumbnail in pixels."""


def write_page(
    path: Path, title: str, about: str, rows: list[dict[str, Any]], query: Any = None, card: str | None = None
) -> None:
    """Write a page of matches with their similarities and explanations.

    Args:
        path: file to write.
        title: heading of the page.
        about: one sentence on what the page shows.
        rows: matches, as from :mod:`relax.retrieval.rows`.
        query: path of the query, a part of a file, or a text; ``None`` for a page of pairs.
        card: the query as HTML; ``None`` for pictures and texts.

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
        item: dict[str, Any] = {"similarity": row["similarity"], "match": None, "texts": [], "pictures": []}
        if "card" in row or ("fragment" in row and "text" not in row):
            names = [row["query"], row["match"]] if query is None else [name_of(row)]
            item |= {"texts": [(_text(name), "") for name in names]}
            item |= {"card": row.get("card"), "fragment": row.get("fragment")}
        elif "text" in row:
            item |= {"texts": _texts(row), "fragment": row.get("fragment"), "rather": row.get("rather")}
        else:
            paths = [row["match"]] if query is not None else [row["query"], row["match"]]
            picture = row["files"][0] if row["files"] else None
            item["pictures"] = [(_text(path), None if picture else thumbnail(path)) for path in paths]
            item["match"] = _embedded(Path(picture).read_bytes()) if picture else None
        items.append(item)
    of_texts = isinstance(query, str) or card is not None or any(item["texts"] for item in items)
    page = environment.get_template("matches.html.j2").render(
        title=title,
        about=about,
        query=None if query is None or of_texts else (_text(str(query)), _thumbnail(query)),
        query_text=_text(str(query)) if of_texts and query is not None else None,
        query_card=card,
        items=items,
        version=__version__,
    )
    with atomic_write(path) as file:
        file.write(page.encode())


def name_of(row: Mapping[str, Any]) -> str:
    """What a neighbour is called: a file, with the number of a row and the span of a passage."""
    return Entry(str(row["match"]), row.get("row", -1), row.get("start", -1), row.get("stop", -1)).name


def _texts(row: dict[str, Any]) -> list[tuple[str, str]]:
    """Names and passages of a row: both of a pair, or the one that was found."""
    if "query_text" not in row:
        return [(_text(name_of(row)), row["text"])]
    return [(_text(row["query"]), row["query_text"]), (_text(row["match"]), row["text"])]


def _text(path: str) -> str:
    """A file name as text, with undecodable bytes escaped."""
    return path.encode("utf-8", "backslashreplace").decode()


def _thumbnail(path: str | Path) -> str | None:
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
