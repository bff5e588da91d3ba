"""Rows of matches for JSON and the HTML page, and the files that explain each match."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from relax.errors import ArgumentError, EncoderError, InputError
from relax.retrieval.differing import difference
from relax.retrieval.pairs import Match, Matcher, Read
from relax.retrieval.results import Neighbour

Row = dict[str, Any]
"""``query, match, similarity, files``; an explained match also has ``n_masks``, and ``regions`` or ``found``."""

OnMessage = Callable[[str], None]
"""Called with a one-line message for the user."""


@dataclass(frozen=True)
class MatchFiles:
    """Paths of the files that explain a match.

    Attributes:
        picture: both inputs and their maps.
    """

    picture: Path

    @property
    def archives(self) -> tuple[Path, Path]:
        """Paths of the two explanations."""
        stem = self.picture.stem
        return self.picture.with_name(f"{stem}-a.npz"), self.picture.with_name(f"{stem}-b.npz")

    @property
    def all(self) -> tuple[Path, Path, Path]:
        """The picture and both archives."""
        return (self.picture, *self.archives)


def pair_files(query: Path, target: Path, out: Path) -> MatchFiles:
    """Where the results of two named inputs go."""
    return MatchFiles(out / f"{query.stem}-{target.stem}.png")


def numbered_results(out: Path, prefix: str, limit: int) -> Iterator[Path]:
    """Existing files of an earlier run for the matches 1 to ``limit``.

    Args:
        out: the output folder.
        prefix: start of the file names, before the number: ``QUERY-match`` or ``duplicate``.
        limit: number of matches that are about to be written.
    """
    name = re.compile(rf"{re.escape(prefix)}-([0-9]+)(\.png|\.npz|-[ab]\.npz)", re.DOTALL)
    for file in sorted(out.iterdir()):
        found = name.fullmatch(file.name)
        if found is not None and int(found[1]) <= limit:
            yield file


def pair_row(matcher: Matcher, query: Path, target: Path, out: Path) -> Row:
    """Explain two named inputs.

    Args:
        matcher: explains the pair.
        query: one input.
        target: the other input.
        out: folder for the files.

    Raises:
        InputError: one of the inputs cannot be read.
        ArgumentError: the files cannot be written.
    """
    row = _write_match(matcher(str(query), str(target)), pair_files(query, target, out))
    return {"query": str(query), "match": str(target), **row}


def neighbour_rows(
    query: Path, neighbours: list[Neighbour], out: Path, matcher: Matcher | None, on_message: OnMessage
) -> Iterator[Row]:
    """Rows of a query's neighbours, best first, explained if there is a matcher; the query is encoded once.

    The similarity is the one the index ranks by; that of the explanation may differ in the third digit. A neighbour
    whose file no longer exists is not explained.

    Args:
        query: the query picture.
        neighbours: what the search found.
        out: folder for the files.
        matcher: explains each neighbour; ``None`` to explain nothing.
        on_message: told why a neighbour is not explained.
    """
    encoded_query = None
    for rank, neighbour in enumerate(neighbours, start=1):
        row: Row = {"similarity": round(neighbour.similarity, 6), "files": []}
        if matcher is not None:
            encoded_query = encoded_query or matcher.read(str(query))
            picture = out / f"{query.stem}-match-{rank}.png"
            explain = partial(_explain_pair, matcher, encoded_query, neighbour.path, picture)
            row = _explained_or_plain(explain, row, on_message)
        yield {"query": str(query), "rank": rank, "match": neighbour.path, **row}


def duplicate_rows(
    pairs: list[tuple[str, str, float]], out: Path, encoder: Any, on_message: OnMessage, **arguments: Any
) -> Iterator[Row]:
    """Rows of near-duplicates; with an encoder, each pair's difference is explained.

    Args:
        pairs: path, other path, cosine.
        out: folder for the files.
        encoder: explains the pairs; ``None`` to explain nothing.
        on_message: told why a pair is not explained.
        arguments: further arguments of :func:`relax.difference`.
    """
    for number, (a, b, cosine) in enumerate(pairs, start=1):
        row: Row = {"similarity": round(cosine, 6), "files": []}
        if encoder is not None:
            explain = partial(_explain_difference, encoder, a, b, out / f"duplicate-{number}.png", arguments)
            row = _explained_or_plain(explain, row, on_message)
        yield {"query": a, "rank": number, "match": b, **row}


def _explain_pair(matcher: Matcher, query: Read, path: str, picture: Path) -> Row:
    return _write_match(matcher(query, path), MatchFiles(picture))


def _explain_difference(encoder: Any, a: str, b: str, picture: Path, arguments: dict[str, Any]) -> Row:
    result = difference(encoder, a, b, **arguments)
    archive = picture.with_suffix(".npz")
    _write(lambda: result.plot(picture), lambda: result.explanation.save(archive))
    return {
        "similarity": round(result.similarity, 6),
        "n_masks": result.explanation.n_masks,
        "found": result.found,
        "files": [str(picture), str(archive)],
    }


def _explained_or_plain(explain: Callable[[], Row], plain: Row, on_message: OnMessage) -> Row:
    """The explained row with the plain row's similarity, or the plain row if it cannot be explained."""
    try:
        return {**explain(), "similarity": plain["similarity"]}
    except (InputError, EncoderError) as error:
        on_message(f"not explained: {error}")
        return plain


def _write_match(match: Match, files: MatchFiles) -> Row:
    """Write the picture and archives of a match and return its row."""
    archive_a, archive_b = files.archives
    _write(lambda: match.plot(files.picture), lambda: match.a.save(archive_a), lambda: match.b.save(archive_b))
    row: Row = {
        "similarity": round(match.similarity, 6),
        "n_masks": match.a.n_masks,
        "files": [str(file) for file in files.all],
    }
    if match.interactions is not None:
        row["regions"] = match.interactions.answers(match.a.effect)
    return row


def _write(*steps: Callable[[], Any]) -> None:
    """Run the writing steps; turn a failure such as a full disk into a one-line error."""
    try:
        for step in steps:
            step()
    except OSError as error:
        raise ArgumentError(f"{error.filename or 'results'}: cannot be written: {error.strerror or error}") from error
