"""The reference that the command line compares inputs with."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from relax.errors import ArgumentError

if TYPE_CHECKING:
    from relax.encoders import Encoder


def reference_of(
    encoder: Encoder,
    against: Path | None,
    foil: Path | None,
    text: list[str] | None,
    text_foil: list[str] | None,
) -> Any:
    """Build the ``against`` argument of :func:`relax.explain` from the command line.

    Args:
        encoder: prepares pictures and encodes text.
        against: ``--against``: a file or a folder.
        foil: ``--foil``: a file or a folder to contrast with ``against``.
        text: ``--against-text``: one or several texts.
        text_foil: ``--foil-text``: texts to contrast with ``text``.

    Raises:
        ArgumentError: the options do not go together.
    """
    from relax.references import Corpus, Text
    from relax.runs.naming import inputs_of

    if text:
        if against is not None or foil is not None:
            raise ArgumentError("expected either --against-text or --against, got both")
        if encoder.modality.name == "text" and len(text) == 1 and not text_foil:
            return encoder.prepare(text[0])
        return Text(text, text_foil or None)
    if text_foil:
        raise ArgumentError("--foil-text needs --against-text to contrast with")
    if against is None:
        if foil is not None:
            raise ArgumentError("--foil needs --against to contrast with")
        return None
    if foil is None and not against.is_dir():
        return encoder.prepare(against)
    modality = encoder.modality
    foils = None if foil is None else inputs_of([foil], modality)
    return Corpus(inputs_of([against], modality), foils)
