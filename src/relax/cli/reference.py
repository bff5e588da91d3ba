"""What a command line compares inputs with."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from relax.errors import ArgumentError

if TYPE_CHECKING:
    from relax.encoders import Encoder


def reference_of(
    encoder: Encoder, against: Path | None, foil: Path | None, text: str | None, text_foil: list[str] | None
) -> Any:
    """The ``against=`` of :func:`relax.explain` for ``--against``, ``--foil``, ``--text`` and ``--text-foil``."""
    from relax.references import Corpus, Text
    from relax.runs.naming import inputs_of

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
    modality = encoder.modality
    foils = None if foil is None else [str(path) for path in inputs_of([foil], modality)]
    return Corpus([str(path) for path in inputs_of([against], modality)], foils)
