"""Small tables as HTML, for notebooks: the colours are those of the page around them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

CELL = "padding:.15em .8em .15em 0;text-align:left;border-bottom:1px solid #8885;vertical-align:top"


@dataclass(frozen=True)
class Cell:
    """A cell with more to read under the pointer.

    Attributes:
        text: what the cell shows.
        more: what the pointer shows.
        strong: whether it stands out.
    """

    text: str
    more: str = ""
    strong: bool = False


def table_of(head: Sequence[Any], rows: Sequence[Sequence[Any]]) -> str:
    """A table as HTML; it scrolls where the page is too narrow.

    Args:
        head: texts or :class:`Cell` objects above the columns.
        rows: texts, numbers or :class:`Cell` objects.
    """
    lines = [_row(head, "th"), *(_row(row, "td") for row in rows)]
    style = "border-collapse:collapse;font-size:13px;font-variant-numeric:tabular-nums"
    return f'<div style="overflow-x:auto;margin:.8em 0"><table style="{style}">{"".join(lines)}</table></div>'


def paragraph(text: str) -> str:
    """A paragraph of text; long words such as paths break."""
    return f'<p style="max-width:55em;overflow-wrap:anywhere">{escape(text)}</p>'


def figure(value: float | None) -> str:
    """A number in three digits; an en dash for none."""
    return "–" if value is None or value != value else f"{value:.3g}"


def _row(cells: Sequence[Any], tag: str) -> str:
    return f"<tr>{''.join(_cell(cell, tag) for cell in cells)}</tr>"


def _cell(given: Any, tag: str) -> str:
    cell = given if isinstance(given, Cell) else Cell(str(given))
    title = f' title="{escape(cell.more)}"' if cell.more else ""
    text = escape(cell.text)
    return f'<{tag} style="{CELL}"{title}>{f"<b>{text}</b>" if cell.strong else text}</{tag}>'
