"""The errors and the warning of the package: one line each: what was expected, what came, what to do."""

from __future__ import annotations


class RelaxError(Exception):
    """Base class of every error that the package raises on purpose."""


class InputError(RelaxError, ValueError):
    """An input cannot be read or is not something that can be explained."""


class EncoderError(RelaxError, RuntimeError):
    """An encoder cannot be loaded, or returned something that is not a batch of representations."""


class NothingSeenError(EncoderError):
    """All masked inputs have the same score: masking changes nothing that the encoder sees."""


class ArgumentError(RelaxError, ValueError):
    """An argument is out of range or does not go with another one."""


class UnknownNameError(ArgumentError, KeyError):
    """A name is not among those that are registered; the message lists the ones there are."""

    __str__ = Exception.__str__  # KeyError would print the repr


class MissingExtraError(RelaxError, ImportError):
    """An optional dependency is not installed; the message names the extra that brings it."""


def first_line(error: BaseException) -> str:
    """The first line of somebody else's error, to be put into one of ours."""
    lines = str(error).splitlines()
    return lines[0] if lines else type(error).__name__


class RelaxWarning(UserWarning):
    """Something was done to an input that its owner may want to know (composited, first frame only, ...)."""
