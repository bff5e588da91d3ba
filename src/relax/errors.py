"""Errors and warnings of the package.

Every message is one line: what was expected, what was given, what to do about it.
"""

from __future__ import annotations


class RelaxError(Exception):
    """Base class of all errors that the package raises deliberately."""


class InputError(RelaxError, ValueError):
    """An input cannot be read, or cannot be explained."""


class EncoderError(RelaxError, RuntimeError):
    """An encoder cannot be loaded, or did not return a batch of finite representations."""


class NothingSeenError(EncoderError):
    """All masked inputs have the same score: masking does not change the representation."""


class ArgumentError(RelaxError, ValueError):
    """An argument is out of range, or incompatible with another one."""


class UnknownNameError(ArgumentError, KeyError):
    """A name is not registered; the message lists the available names."""

    __str__ = Exception.__str__  # KeyError prints the repr of its message


class MissingExtraError(RelaxError, ImportError):
    """An optional dependency is not installed; the message names the extra that provides it."""


def first_line(error: BaseException) -> str:
    """The first line of a third-party error, for use in a one-line message; its type's name if it has no message."""
    lines = str(error).splitlines()
    return lines[0] if lines else type(error).__name__


class RelaxWarning(UserWarning):
    """An input or argument was handled in a way the user may want to know (alpha composited, first frame only, ...)."""
