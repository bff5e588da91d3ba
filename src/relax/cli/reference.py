"""What a command line compares pictures with."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from relax.cli.files import pictures_of
from relax.errors import ArgumentError

if TYPE_CHECKING:
    from relax.encoders import Encoder


def reference_of(
    encoder: Encoder, against: Path | None, foil: Path | None, text: str | None, text_foil: list[str] | None
) -> Any:
    """The ``against=`` of :func:`relax.explain` for ``--against``, ``--foil``, ``--text`` and ``--text-foil``."""
    from relax.references import Corpus, Text

    if text is not None:
        if against is not None or foil is not None:
            raise ArgumentError("expected either --text or --against, got both")
        return Text(text, text_foil or None)
    if text_foil:
        raise ArgumentError("--text-foil needs --text, which it is contrasted with")
    if against is None:
        if foil is not None:
            raise ArgumentError("--foil needs --against, which it is contrasted with")
        return None
    if foil is None and not against.is_dir():
        return encoder.prepare(against)
    foils = None if foil is None else [str(path) for path in pictures_of([foil])]
    return Corpus([str(path) for path in pictures_of([against])], foils)
