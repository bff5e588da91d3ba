"""Explained texts on the terminal."""

from __future__ import annotations

from typing import Any


def show_text(explanation: Any) -> None:
    """Print an explained text to stderr with shaded words; anything else is not shown.

    Args:
        explanation: an explanation, or ``None``.
    """
    if explanation is None or explanation.settings.get("modality") != "text":
        return
    from rich.console import Console

    from relax.modalities.text.terminal import text_of

    Console(stderr=True, highlight=False).print(text_of(explanation))
