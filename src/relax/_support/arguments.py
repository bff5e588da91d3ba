"""Checks of arguments, one line each when they fail."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np

from relax.errors import ArgumentError


def check_number(name: str, value: Any, default: Any) -> None:
    """Raise if the default is a number and the value is something else."""
    if isinstance(default, bool) or not isinstance(default, (int, float)):
        return
    whole = isinstance(default, int)
    kinds: tuple[type, ...] = (int, np.integer) if whole else (int, float, np.integer, np.floating)
    if isinstance(value, bool) or not isinstance(value, kinds):
        raise ArgumentError(f"expected `{name}` to be {'a whole number' if whole else 'a number'}, got {value!r}")


def integer(name: str, value: Any) -> int:
    """An integer from anything that is one, such as a numpy integer."""
    try:
        if isinstance(value, bool):
            raise TypeError
        return operator.index(value)
    except TypeError:
        raise ArgumentError(f"expected `{name}` to be an integer, got {value!r}") from None


def positive(name: str, value: Any) -> int:
    """An integer of at least 1."""
    number = integer(name, value)
    if number < 1:
        raise ArgumentError(f"expected `{name}` to be a positive integer, got {value!r}")
    return number


def seed_of(value: Any) -> int:
    """A seed: an integer of at least 0."""
    seed = integer("seed", value)
    if seed < 0:
        raise ArgumentError(f"expected `seed` to be a non-negative integer, got {seed}")
    return seed
