"""Result rows: what the command line reports about an explained input, ready for JSON."""

from __future__ import annotations

from collections.abc import Sequence
from math import isnan
from pathlib import Path
from typing import Any

from relax.explanation import Explanation


def explanation_row(source: Path | str, e: Explanation, encoder: str, files: Sequence[Path]) -> dict[str, Any]:
    """Summarise an explanation as a JSON-serialisable row; that of a text has its words, their spans and effects.

    Args:
        source: the input.
        e: its explanation.
        encoder: name of the encoder.
        files: the files that were written.
    """
    row = {
        "input": str(source),
        "encoder": encoder,
        "method": e.settings["method"],
        "n_masks": e.n_masks,
        "reliability": rounded_or_none(e.reliability),
        "score": rounded_or_none(e.score),
        "against": e.settings["against"],
        "neutral": rounded_or_none(e.neutral) if e.signed else None,
        "seconds": round(e.settings["cost"]["seconds"], 3),
        "files": [str(file) for file in files],
    }
    if isinstance(e.presentation, str) and e.labels is not None and e.spans is not None:
        effects = [rounded_or_none(float(effect)) for effect in e.effect]
        row |= {"words": list(e.labels), "spans": [list(span) for span in e.spans], "effects": effects}
    return row


def rounded_or_none(value: float, digits: int = 6) -> float | None:
    """Round a number for JSON; ``None`` for NaN, which JSON cannot represent."""
    return None if isnan(value) else round(value, digits)
