"""Split a text into words (Unicode's text segmentation, UAX #29, by ``uniseg``), sentences and paragraphs."""

from __future__ import annotations

import itertools
import re
import unicodedata
from collections.abc import Iterable, Iterator
from functools import lru_cache

from relax._support.extras import require

_SENTENCE_ENDS = re.compile(
    r"""[.!?…؟।]+["'”’»)\]]*\s+(?=[^\s])(?![a-zà-ÿα-ωа-я])|[。！？]+[」』”’）]*|\n[ \t\r]*\n\s*"""
)

Span = tuple[int, int]
"""Position ``(start, stop)`` in the text, in characters."""

_PARAGRAPHS = re.compile(r"\S(?:.*?\S)?(?=\s*(?:\n[ \t\r]*\n|\Z))", re.DOTALL)


def words(text: str) -> list[Span]:
    """Spans of words: letters, digits or pictographs, with the punctuation that touches them.

    Scripts without spaces are split as UAX #29 says, such as Chinese into single characters. Punctuation that stands
    alone, such as a dash, goes with the word before it, at the start of a line with the word after it. A text of
    punctuation alone is split at spaces.

    Args:
        text: any text.
    """
    return list(_words(text))  # an explanation asks a dozen times


@lru_cache(maxsize=4)
def _words(text: str) -> tuple[Span, ...]:
    found: list[Span] = []
    opening: int | None = None  # start of punctuation that has no word before it
    for start, stop in _segments(require("uniseg.wordbreak", extra="text").words(text)):
        segment = text[start:stop]
        if segment.isspace():
            if found and opening is not None and "\n" not in text[found[-1][1] : opening]:
                found[-1] = (found[-1][0], start)
                opening = None
        elif any(_in_word(character) for character in segment):
            found.append((start if opening is None else opening, stop))
            opening = None
        elif found and found[-1][1] == start and opening is None:
            found[-1] = (found[-1][0], stop)
        else:
            opening = start if opening is None else opening
    if found and opening is not None:
        found[-1] = (found[-1][0], len(text.rstrip()))
    return tuple(found or matches(text, r"\S+"))


def sentences(text: str) -> list[Span]:
    """Spans of sentences, without the space around them.

    A sentence ends at a full stop, question or exclamation mark, with the quotes and brackets after it, where space and
    no lower-case letter follow; at an ideographic full stop; and at an empty line. An abbreviation before a capital
    letter, such as "Dr. Smith", ends one, too.

    Args:
        text: any text.
    """
    starts = [0, *(match.end() for match in _SENTENCE_ENDS.finditer(text)), len(text)]
    return _stripped(text, itertools.pairwise(starts))


def paragraphs(text: str) -> list[Span]:
    """Spans of paragraphs, which empty lines separate.

    Args:
        text: any text.
    """
    return [match.span() for match in _PARAGRAPHS.finditer(text)]


def matches(text: str, pattern: str) -> list[Span]:
    """Spans of the matches of a regular expression that are not empty.

    Args:
        text: any text.
        pattern: a regular expression of the standard library.
    """
    return [match.span() for match in re.finditer(pattern, text) if match.end() > match.start()]


def _in_word(character: str) -> bool:
    """Whether a character makes a segment a word: a letter, mark, digit or pictograph."""
    category = unicodedata.category(character)
    return category[0] in "LMN" or category == "So"


def _segments(parts: Iterable[str]) -> Iterator[Span]:
    start = 0
    for part in parts:
        yield start, start + len(part)
        start += len(part)


def _stripped(text: str, spans: Iterable[Span]) -> list[Span]:
    """Spans without leading and trailing space; those of space alone are dropped."""
    found = []
    for start, stop in spans:
        part = text[start:stop]
        if part.strip():
            found.append((start + len(part) - len(part.lstrip()), start + len(part.rstrip())))
    return found
