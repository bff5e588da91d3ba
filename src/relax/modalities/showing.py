"""Titles shared by the figures of all modalities."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from relax._support.figures import literal
from relax.modalities.shown import Shown

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LONGEST = 60
"""Maximum number of characters of a displayed name."""


def called(source: Mapping[str, Any]) -> str:
    """Display name of an input, from its provenance: a file name, or the first words of a text."""
    name = str(source.get("name") or source.get("source", "input"))
    return name if len(name) <= LONGEST else name[: LONGEST - 1] + "…"


def as_png(figure: Figure) -> bytes:
    """A figure as the content of a PNG file."""
    file = io.BytesIO()
    figure.savefig(file, format="png")
    return file.getvalue()


def as_html(figure: Figure, alternative: str) -> str:
    """A figure as an HTML image that needs no other file.

    Args:
        figure: the figure.
        alternative: what to read where the image is not shown.
    """
    data = base64.b64encode(as_png(figure)).decode()
    return f'<img style="max-width:100%" alt="{escape(alternative)}" src="data:image/png;base64,{data}">'


def page_of(title: str, parts: Sequence[str]) -> str:
    """A whole HTML page of fragments.

    Args:
        title: title of the page.
        parts: fragments of HTML.
    """
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" '
        f'content="width=device-width, initial-scale=1"><title>{escape(title)}</title></head>'
        f"<body>{''.join(parts)}</body></html>\n"
    )


def title_of(explanation: Shown) -> str:
    """One-line title of a figure: input, method, encoder, reference, cost and reliability."""
    settings = explanation.settings
    name = called(settings["input"])
    name = f"{name} ({settings['view']})" if "view" in settings else name
    parts = [name, f"{settings['method']} of {settings['encoder'].get('name')}"]
    if settings["against"] is not None:
        against = settings["against"]
        parts.append(
            f"against {against.get('name') or Path(str(against['source'])).name} (score {explanation.score:.3f})"
        )
    cost = settings["cost"]
    parts.append(f"{explanation.n_masks} masks" if explanation.n_masks else f"{cost['forwards']} forwards")
    if np.isfinite(explanation.reliability):
        parts.append(f"reliability {explanation.reliability:.3f}")
    return literal("   ·   ".join(parts))
