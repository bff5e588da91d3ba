"""From the words of a command line to values."""

from __future__ import annotations

import contextlib

from relax.errors import ArgumentError


def cells_of(text: str) -> int | tuple[int, int]:
    sides = [whole("--cells", side) for side in text.lower().split("x")]
    if len(sides) == 1:
        return sides[0]
    if len(sides) == 2:
        return (sides[0], sides[1])
    raise ArgumentError(f"expected --cells as N or ROWSxCOLUMNS, got {text!r}")


def whole(option: str, text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise ArgumentError(f"expected {option} to be a whole number, got {text!r}") from None


def options_of(texts: list[str]) -> dict[str, str | int | float]:
    """NAME=VALUE, numbers as numbers."""
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
    """Names with commas between them, each once."""
    names = list(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))
    if not names:
        raise ArgumentError(f"expected {option} to be names with commas between them, got {text!r}")
    return names
