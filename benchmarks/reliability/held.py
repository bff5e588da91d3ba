"""One line of the table: what was tried, how often, and how often it held."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Held:
    """A promise and what came of trying it.

    Attributes:
        promise: what should hold.
        tried: how many times it was tried.
        held: how many times it held.
        note: figures, and what did not hold.
    """

    promise: str
    tried: int
    held: int
    note: str = ""
