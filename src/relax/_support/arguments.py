"""Validation of arguments, with one-line errors."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np

from relax.errors import ArgumentError


def check_number(name: str, value: Any, default: Any) -> None:
    """Check that a value is a number if the default is one, and an integer if the default is one.

    Args:
        name: name of the argument, for the message.
        value: value of the argument.
        default: default of the argument; anything but a number skips the check.

    Raises:
        ArgumentError: the value is not such a number.
    """
    if isinstance(default, bool) or not isinstance(default, (int, float)):
        return
    whole = isinstance(default, int)
    kinds: tuple[type, ...] = (int, np.integer) if whole else (int, float, np.integer, np.floating)
    if isinstance(value, bool) or not isinstance(value, kinds):
        raise ArgumentError(f"expected `{name}` to be {'a whole number' if whole else 'a number'}, got {value!r}")


def integer(name: str, value: Any) -> int:
    """Convert an integer of any type, such as numpy's, to ``int``.

    Args:
        name: name of the argument, for the message.
        value: value of the argument; ``bool`` is rejected.

    Raises:
        ArgumentError: the value is not an integer.
    """
    try:
        if isinstance(value, bool):
            raise TypeError
        return operator.index(value)
    except TypeError:
        raise ArgumentError(f"expected `{name}` to be an integer, got {value!r}") from None


def positive(name: str, value: Any) -> int:
    """Convert a positive integer of any type to ``int``.

    Args:
        name: name of the argument, for the message.
        value: value of the argument.

    Raises:
        ArgumentError: the value is not a positive integer.
    """
    number = integer(name, value)
    if number < 1:
        raise ArgumentError(f"expected `{name}` to be a positive integer, got {value!r}")
    return number


def seed_of(value: Any) -> int:
    """Convert a seed, a non-negative integer of any type, to ``int``.

    Raises:
        ArgumentError: the value is not a non-negative integer.
    """
    seed = integer("seed", value)
    if seed < 0:
        raise ArgumentError(f"expected `seed` to be a non-negative integer, got {seed}")
    return seed
