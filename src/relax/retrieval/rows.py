"""Rows of matches: what is said of each, and the files that explain it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from relax.errors import ArgumentError, EncoderError, InputError
from relax.retrieval.differing import difference
from relax.retrieval.index import Neighbour
from relax.retrieval.pairs import Match, Matcher, Read

Row = dict[str, Any]
"""``query, match, similarity, files``, and for an explained match ``n_masks``, ``regions`` or ``found``."""

Said = Callable[[str], None]


@dataclass(frozen=True)
class Files:
    """Where the files of a match go.

    Attributes:
        picture: both inputs and their maps.
    """

    picture: Path

    @property
    def archives(self) -> tuple[Path, Path]:
        """Of the two explanations."""
        stem = self.picture.stem
        return self.picture.with_name(f"{stem}-a.npz"), self.picture.with_name(f"{stem}-b.npz")


def pair_row(matcher: Matcher, query: Path, target: Path, out: Path) -> Row:
    """Two inputs that were named, explained.

    Raises:
        InputError: one of them cannot be read.
        ArgumentError: the files cannot be written.
    """
    files = Files(out / f"{query.stem}-{target.stem}.png")
    return {"query": str(query), "match": str(target), **_saved(matcher(str(query), str(target)), files)}


def neighbour_rows(
    query: Path, found: list[Neighbour], out: Path, matcher: Matcher | None, said: Said
) -> Iterator[Row]:
    """The neighbours of a query, best first, explained where there is a matcher; the query is read once.

    The similarity stays that of the index, by which neighbours are in order; the pair's own may differ in the third
    digit. A neighbour whose file has gone since it was indexed is not explained, and ``said`` is told why.
    """
    read = None
    for rank, neighbour in enumerate(found, start=1):
        row: Row = {"query": str(query), "rank": rank, "match": neighbour.path}
        plain: Row = {"similarity": round(neighbour.similarity, 6), "files": []}
        if matcher is not None:
            read = read or matcher.read(str(query))
            picture = out / f"{query.stem}-match-{rank}.png"
            plain = _explained(lambda n=neighbour, p=picture, r=read: _pair(matcher, r, n.path, p), plain, said)  # type: ignore[misc]
        yield {**row, **plain}


def duplicate_rows(
    pairs: list[tuple[str, str, float]], out: Path, encoder: Any, said: Said, **arguments: Any
) -> Iterator[Row]:
    """Pairs that are nearly the same; with an encoder, what tells each apart.

    Args:
        pairs: path, other path, cosine.
        out: folder for the files.
        encoder: ``None`` to explain nothing.
        said: told why a pair is not explained.
        arguments: of :func:`relax.difference`.
    """
    for number, (a, b, cosine) in enumerate(pairs, start=1):
        plain: Row = {"similarity": round(cosine, 6), "files": []}
        if encoder is not None:
            picture = out / f"duplicate-{number}.png"
            plain = _explained(lambda a=a, b=b, p=picture: _differing(encoder, a, b, p, arguments), plain, said)  # type: ignore[misc]
        yield {"query": a, "rank": number, "match": b, **plain}


def _pair(matcher: Matcher, read: Read, path: str, picture: Path) -> Row:
    return _saved(matcher(read, path), Files(picture))


def _explained(how: Callable[[], Row], plain: Row, said: Said) -> Row:
    """A match explained, or as it was where it cannot be."""
    try:
        return {**how(), "similarity": plain["similarity"]}
    except (InputError, EncoderError) as error:
        said(f"not explained: {error}")
        return plain


def _saved(pair: Match, files: Files) -> Row:
    with_a, with_b = files.archives
    _write(lambda: pair.plot(files.picture), lambda: pair.a.save(with_a), lambda: pair.b.save(with_b))
    row: Row = {
        "similarity": round(pair.similarity, 6),
        "n_masks": pair.a.n_masks,
        "files": [str(files.picture), str(with_a), str(with_b)],
    }
    if pair.interactions is not None:
        row["regions"] = pair.interactions.answers(pair.a.effect)
    return row


def _differing(encoder: Any, a: str, b: str, picture: Path, arguments: dict[str, Any]) -> Row:
    found = difference(encoder, a, b, **arguments)
    archive = picture.with_suffix(".npz")
    _write(lambda: found.plot(picture), lambda: found.explanation.save(archive))
    return {
        "similarity": round(found.similarity, 6),
        "n_masks": found.explanation.n_masks,
        "found": found.found,
        "files": [str(picture), str(archive)],
    }


def _write(*steps: Callable[[], Any]) -> None:
    """Write files; a full disk is one line."""
    try:
        for step in steps:
            step()
    except OSError as error:
        raise ArgumentError(f"{error.filename or 'results'}: cannot be written: {error.strerror or error}") from error
