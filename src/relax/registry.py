"""A table of names, used for everything that users choose by name."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from typing import Generic, TypeVar

from relax.errors import UnknownNameError

T = TypeVar("T")


class Registry(Generic[T]):
    """Maps names to things of one kind.

    Args:
        kind: what the things are, in the singular, for messages: ``"fill"``.

    Example:
        >>> fruit = Registry("fruit")
        >>> fruit.add("apple", 1)
        >>> fruit["apple"], list(fruit)
        (1, ['apple'])
    """

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self._things: dict[str, T] = {}

    def add(self, name: str, thing: T) -> None:
        """Register ``thing`` under ``name``, replacing what had the name."""
        self._things[name] = thing

    def __getitem__(self, name: str) -> T:
        if not isinstance(name, str):
            raise UnknownNameError(
                f"expected the name of a {self.kind}, got {name!r}; there are: {', '.join(self._things)}"
            )
        if name not in self._things:
            close = difflib.get_close_matches(name, self._things, n=1)
            hint = f" Did you mean {close[0]!r}?" if close else ""
            raise UnknownNameError(f"unknown {self.kind} {name!r}; there are: {', '.join(self._things)}.{hint}")
        return self._things[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._things)

    def items(self) -> Iterator[tuple[str, T]]:
        """The names and the things, in the order in which they were registered."""
        return iter(self._things.items())
