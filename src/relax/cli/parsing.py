"""Parse option values from the command line."""

from __future__ import annotations

import contextlib

from relax.errors import ArgumentError


def cells_of(text: str) -> int | tuple[int, int]:
    """Parse ``N`` or ``ROWSxCOLUMNS``."""
    sides = text.lower().split("x")
    if len(sides) > 2 or not all(side.isdigit() for side in sides):
        raise ArgumentError(f"expected --cells as N or ROWSxCOLUMNS, such as 7 or 5x7, got {text!r}")
    return int(sides[0]) if len(sides) == 1 else (int(sides[0]), int(sides[1]))


def whole(option: str, text: str) -> int:
    """Parse an integer option."""
    try:
        return int(text)
    except ValueError:
        raise ArgumentError(f"expected {option} to be a whole number, got {text!r}") from None


def views_of(texts: list[str]) -> dict[str, str]:
    """Parse repeated ``NAME=FILE`` options."""
    views: dict[str, str] = {}
    for text in texts:
        name, equals, file = text.partition("=")
        if not name or not equals or not file or name in views:
            raise ArgumentError(f"expected each --view once, as NAME=FILE, got {text!r}")
        views[name] = file
    return views


def groups_of(texts: list[str]) -> dict[str, list[str]]:
    """Parse repeated ``NAME=COLUMN,COLUMN`` options."""
    groups: dict[str, list[str]] = {}
    for text in texts:
        name, equals, columns = text.partition("=")
        members = [column.strip() for column in columns.split(",") if column.strip()]
        if not name or not equals or not members or name in groups:
            raise ArgumentError(f"expected each --group once, as NAME=COLUMN,COLUMN, got {text!r}")
        groups[name] = members
    return groups


def fills_of(texts: list[str] | None) -> str | list[str] | None:
    """One fill, several, or ``None`` for the method's own, from repeated options."""
    return texts[0] if texts and len(texts) == 1 else texts or None


def options_of(texts: list[str]) -> dict[str, str | int | float]:
    """Parse repeated ``NAME=VALUE`` options; numeric values become numbers."""
    options: dict[str, str | int | float] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not name or not equals:
            raise ArgumentError(f"expected --option as NAME=VALUE, got {text!r}")
        options[name.replace("-", "_")] = _number_or_name(value)
    return options


def _number_or_name(text: str) -> str | int | float:
    for kind in (int, float):
        with contextlib.suppress(ValueError):
            return kind(text)
    return text


def names_of(option: str, text: str) -> list[str]:
    """Split comma-separated names and drop repeats."""
    names = list(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))
    if not names:
        raise ArgumentError(f"expected {option} to be comma-separated names, got {text!r}")
    return names
