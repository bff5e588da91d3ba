"""Tables of a page without their intervals, which go into a CSV file beside the page."""

from __future__ import annotations

import csv
import io
import re
from pathlib import Path

INTERVAL = re.compile(r"^(\**)([-+.\d]+) \[([-+.\w]+), ([-+.\w]+)\](\**)$")
"""A mean with its interval, such as ``**0.37 [0.33, 0.42]**``."""


def cells_of(line: str) -> list[str]:
    """Cells of a line of a Markdown table."""
    return [cell.strip() for cell in line.strip().removeprefix("|").removesuffix("|").split("|")]


def without_intervals(lines: list[str]) -> list[str]:
    """A Markdown table with means only; a mean without an interval, of fewer than two inputs, becomes a dash.

    Args:
        lines: the table: heads, rule, rows.
    """
    found = lines[:2]
    for line in lines[2:]:
        found.append("| " + " | ".join(_mean(cell) for cell in cells_of(line)) + " |")
    return found


def as_csv(lines: list[str]) -> str:
    """A Markdown table as CSV: for every column with intervals three, the mean, ``low`` and ``high``.

    Args:
        lines: the table: heads, rule, rows.
    """
    heads, rows = cells_of(lines[0]), [cells_of(line) for line in lines[2:]]
    wide = [any(INTERVAL.match(row[number]) for row in rows) for number in range(len(heads))]
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    names = [name.strip(" ↑↓") for name in heads]
    writer.writerow(
        part
        for name, three in zip(names, wide, strict=True)
        for part in ([name, f"{name} low", f"{name} high"] if three else [name])
    )
    for row in rows:
        writer.writerow(part for cell, three in zip(row, wide, strict=True) for part in _parts(cell, three))
    return file.getvalue()


def apart(lines: list[str], path: Path) -> list[str]:
    """Write a table's intervals to a file, and give the table without them.

    Args:
        lines: the table: heads, rule, rows.
        path: the CSV file, in a folder beside the page.

    Returns:
        The table, and a line that links the file.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(as_csv(lines))
    return [
        *without_intervals(lines),
        "",
        f"Means; the 95 % intervals are in [{path.name}]({path.parent.name}/{path.name}).",
    ]


def _mean(cell: str) -> str:
    found = INTERVAL.match(cell)
    if found is None:
        return cell
    return "–" if found[3] == "nan" else f"{found[1]}{found[2]}{found[5]}"


def _parts(cell: str, three: bool) -> list[str]:
    found = INTERVAL.match(cell)
    if found is None:
        return [cell.strip("*"), "", ""] if three else [cell.strip("*")]
    return [found[2], *("" if bound == "nan" else bound for bound in (found[3], found[4]))]
