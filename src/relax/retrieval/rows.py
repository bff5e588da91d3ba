"""Rows of matches for JSON and the HTML page, and the files that explain each match."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from relax.encoders import Encoder
from relax.errors import EncoderError, InputError
from relax.references import Corpus
from relax.retrieval.differing import difference
from relax.retrieval.entries import Entry
from relax.retrieval.pairs import Match, Matcher, Read
from relax.retrieval.results import Neighbour
from relax.runs.naming import place_of, slug

Row = dict[str, Any]
"""``query, match, similarity, files``; an explained match also has ``n_masks``, and ``regions`` or ``found``."""

HIDDEN = ("fragment", "rather", "card")
"""Parts of a row that only the page shows."""

OnMessage = Callable[[str], None]
"""Called with a one-line message for the user."""


@dataclass(frozen=True)
class MatchFiles:
    """Paths of the files that explain a match.

    Attributes:
        picture: both inputs and their maps.
        paged: whether there is a page, too, as for all inputs but pictures.
    """

    picture: Path
    paged: bool = False

    @property
    def page(self) -> Path:
        """Path of the HTML page of a match."""
        return self.picture.with_suffix(".html")

    @property
    def archives(self) -> tuple[Path, Path]:
        """Paths of the two explanations."""
        stem = self.picture.stem
        return self.picture.with_name(f"{stem}-a.npz"), self.picture.with_name(f"{stem}-b.npz")

    @property
    def all(self) -> tuple[Path, ...]:
        """The picture, the page if there is one, and both archives."""
        return (self.picture, *((self.page,) if self.paged else ()), *self.archives)


def pair_files(query: Any, target: Any, out: Path, kind: str) -> MatchFiles:
    """Where the results of two inputs go: named after the files, or the first words of texts.

    Args:
        query: path of a file, a part of one, or a text.
        target: the other input, likewise.
        out: folder for the files.
        kind: name of their modality.
    """
    return MatchFiles(out / f"{stem_of(query)}-{stem_of(target)}.png", kind != "image")


def stem_of(source: Any) -> str:
    """Name of a file without suffix, with the number of a part; or the first words of a text."""
    return slug(source) if isinstance(source, str) else place_of(source).stem


def numbered_results(out: Path, prefix: str, limit: int) -> Iterator[Path]:
    """Existing files of an earlier run for the matches 1 to ``limit``.

    Args:
        out: the output folder.
        prefix: start of the file names, before the number: ``QUERY-match`` or ``duplicate``.
        limit: number of matches that are about to be written.
    """
    name = re.compile(rf"{re.escape(prefix)}-([0-9]+)(\.png|\.html|\.npz|-[ab]\.npz)", re.DOTALL)
    for file in sorted(out.iterdir()):
        found = name.fullmatch(file.name)
        if found is not None and int(found[1]) <= limit:
            yield file


def pair_row(matcher: Matcher, query: Any, target: Any, out: Path) -> Row:
    """Explain two inputs.

    Args:
        matcher: explains the pair.
        query: path of a file, a part of one, or a text.
        target: the other input, likewise.
        out: folder for the files.

    Raises:
        InputError: one of the inputs cannot be read.
        ArgumentError: the files cannot be written.
    """
    files = pair_files(query, target, out, matcher.encoder.modality.name)
    row = _write_match(matcher(query, target), files)
    return {"query": str(query), "match": str(target), **row}


def neighbour_rows(
    query: Any, neighbours: list[Neighbour], out: Path, encoder: Encoder, matcher: Matcher | None, on_message: OnMessage
) -> Iterator[Row]:
    """Rows of a query's neighbours, best first, explained if there is a matcher; the query is encoded once.

    The similarity is the one the index ranks by; that of the explanation may differ in the third digit. A neighbour
    whose file no longer exists is not explained. For a text, the words of the query that put a passage before the next
    one are explained as well.

    Args:
        query: path of a file, a part of one, or a text.
        neighbours: what the search found.
        out: folder for the files.
        encoder: the encoder of the index.
        matcher: explains each neighbour; ``None`` to explain nothing.
        on_message: told why a neighbour is not explained.
    """
    encoded_query, paged = None, encoder.modality.name != "image"
    for rank, neighbour in enumerate(neighbours, start=1):
        entry = neighbour.entry
        later = (other.entry for other in neighbours[rank:])
        following = next((other for other in later if other.text != entry.text), None)  # a duplicate tells nothing
        row: Row = {"similarity": round(neighbour.similarity, 6), **_passage(entry), "files": []}
        if matcher is not None:
            encoded_query = encoded_query or matcher.read(query)
            files = MatchFiles(out / f"{stem_of(query)}-match-{rank}.png", paged)
            row = _explained_or_plain(partial(_explain_pair, matcher, encoded_query, entry, files), row, on_message)
            if entry.text is not None and following is not None and "fragment" in row:
                row["rather"] = _rather(matcher, query, entry, following)
        yield {"query": str(query), "rank": rank, "match": entry.path, **row, **_card(encoder, entry, on_message)}


def duplicate_rows(
    pairs: list[tuple[Entry, Entry, float]],
    out: Path,
    kind: str,
    encoder: Encoder | None,
    on_message: OnMessage,
    **arguments: Any,
) -> Iterator[Row]:
    """Rows of near-duplicates; with an encoder, the difference of two pictures is explained, or a pair of other inputs.

    Args:
        pairs: entry, other entry, cosine.
        out: folder for the files.
        kind: name of their modality.
        encoder: explains the pairs; ``None`` to explain nothing.
        on_message: told why a pair is not explained.
        arguments: further arguments of :func:`relax.difference` and :class:`Matcher`.
    """
    pictures = kind == "image"
    matcher = None if encoder is None or pictures else Matcher(encoder, regions=True, **arguments)
    for number, (a, b, cosine) in enumerate(pairs, start=1):
        row: Row = {"similarity": round(cosine, 6), **_passage(b), "files": []}
        picture = out / f"duplicate-{number}.png"
        if matcher is not None:
            explain = partial(_explain_entries, matcher, a, b, MatchFiles(picture, True))
            row = _explained_or_plain(explain, row, on_message)
        elif encoder is not None:
            explain = partial(_explain_difference, encoder, a.path, b.path, picture, arguments)
            row = _explained_or_plain(explain, row, on_message)
        query = {} if a.text is None else {"query_text": a.text}
        query |= {"card": ""} if a.text is None and not pictures else {}
        yield {"query": a.name, "rank": number, "match": b.name, **query, **row}


def public(row: Row) -> Row:
    """A row without the parts that only the page shows."""
    return {name: value for name, value in row.items() if name not in HIDDEN}


def _passage(entry: Entry) -> Row:
    """Row and span of a passage in its file, and the passage itself; nothing for pictures."""
    row: Row = {} if entry.row < 0 else {"row": entry.row}
    return row if entry.text is None else {**row, "start": entry.start, "stop": entry.stop, "text": entry.text}


def _explain_pair(matcher: Matcher, query: Read, entry: Entry, files: MatchFiles) -> Row:
    return _write_match(matcher(query, entry.source(matcher.encoder.modality)), files)


def _explain_entries(matcher: Matcher, a: Entry, b: Entry, files: MatchFiles) -> Row:
    return _explain_pair(matcher, matcher.read(a.source(matcher.encoder.modality)), b, files)


def _card(encoder: Encoder, entry: Entry, on_message: OnMessage) -> Row:
    """The input as a card on the page, for modalities that have one; nothing if it can no longer be read."""
    if not encoder.modality.cards:
        return {}
    try:
        return {"card": encoder.modality.card(encoder.prepare(entry.source(encoder.modality)))}
    except InputError as error:
        on_message(f"not shown: {error}")
        return {"card": ""}


def _rather(matcher: Matcher, query: Any, entry: Entry, following: Entry) -> str:
    """HTML of the query against one passage rather than the next."""
    modality = matcher.encoder.modality
    against = Corpus([entry.source(modality)], foil=[following.source(modality)])
    return str(matcher.explainer(query, against).html())


def _explain_difference(encoder: Any, a: str, b: str, picture: Path, arguments: dict[str, Any]) -> Row:
    result = difference(encoder, a, b, **arguments)
    archive = picture.with_suffix(".npz")
    result.plot(picture)
    result.explanation.save(archive)
    return {
        "similarity": round(result.similarity, 6),
        "n_masks": result.explanation.n_masks,
        "found": result.found,
        "files": [str(picture), str(archive)],
    }


def _explained_or_plain(explain: Callable[[], Row], plain: Row, on_message: OnMessage) -> Row:
    """The explained row with the plain row's similarity, or the plain row if it cannot be explained."""
    try:
        return {**plain, **explain(), "similarity": plain["similarity"]}
    except (InputError, EncoderError) as error:
        on_message(f"not explained: {error}")
        return plain


def _write_match(match: Match, files: MatchFiles) -> Row:
    """Write the picture and archives of a match and return its row."""
    archive_a, archive_b = files.archives
    match.plot(files.picture)
    if files.paged:
        match.page(files.page)
    match.a.save(archive_a)
    match.b.save(archive_b)
    row: Row = {
        "similarity": round(match.similarity, 6),
        "n_masks": match.a.n_masks,
        "files": [str(file) for file in files.all],
    }
    if files.paged:
        row["fragment"] = match.html()
    if match.interactions is not None:
        row["regions"] = match.interactions.answers(match.a.effect)
    return row
