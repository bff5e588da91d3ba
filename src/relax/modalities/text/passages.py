"""Split a long text into passages of whole sentences."""

from __future__ import annotations

from relax.modalities.text.segmentation import Span, matches, paragraphs, sentences

LENGTH = 120
"""Maximum number of words in a passage: about the 256 tokens that sentence encoders take, and less."""


def passages_of(text: str, length: int = LENGTH) -> list[Span]:
    """Spans of passages: whole sentences of one paragraph, as many as fit; a longer sentence is cut between words.

    Short paragraphs in a row, such as headings and lists, share a passage.

    Args:
        text: any text.
        length: maximum number of words in a passage.
    """
    found: list[Span] = []
    used = 0
    for start, stop, n_words, ends_paragraph in _pieces(text, length):
        if found and used and used + n_words <= length:
            found[-1] = (found[-1][0], stop)
            used += n_words
        else:
            found.append((start, stop))
            used = n_words
        if ends_paragraph and used > length // 2:
            used = 0  # the next paragraph starts a passage
    return found


def _pieces(text: str, length: int) -> list[tuple[int, int, int, bool]]:
    """Sentences, or parts of long ones: start, stop, number of words, and whether a paragraph ends there."""
    pieces = []
    for first, last in paragraphs(text):
        for start, stop in sentences(text[first:last]):
            inside = matches(text[first + start : first + stop], r"\S+")
            for number in range(0, len(inside), length):
                some = inside[number : number + length]
                left = first + start + (some[0][0] if number else 0)
                right = first + stop if number + length >= len(inside) else first + start + some[-1][1]
                pieces.append((left, right, len(some), first + stop >= last and right == first + stop))
    return pieces
