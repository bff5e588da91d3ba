"""Result rows: what the command line reports about an explained input, ready for JSON."""

from __future__ import annotations

from collections.abc import Sequence
from math import isnan
from pathlib import Path
from typing import Any

from relax.explanation import Explanation


def explanation_row(source: Any, e: Explanation, encoder: str, files: Sequence[Path]) -> dict[str, Any]:
    """Summarise an explanation as a JSON-serialisable row; one of named units has them, their spans and effects.

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
    if e.labels is not None:
        name = "words" if e.settings.get("modality") == "text" else "units"
        spans = None if e.spans is None else [list(span) for span in e.spans]
        row |= {name: list(e.labels), "spans": spans, "effects": _rounded(e.effect.tolist())}
    return row


def _rounded(values: Any) -> Any:
    """A number or nested list of numbers for JSON."""
    return [_rounded(value) for value in values] if isinstance(values, list) else rounded_or_none(values)


def rounded_or_none(value: float, digits: int = 6) -> float | None:
    """Round a number for JSON; ``None`` for NaN, which JSON cannot represent."""
    return None if isnan(value) else round(value, digits)
