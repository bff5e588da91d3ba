"""Titles shared by the figures of all modalities."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image, features

from relax._support.figures import literal, unescaped
from relax.modalities.pointer import STYLE, cells_of
from relax.modalities.shown import Shown

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LONGEST = 60
"""Maximum number of characters of a displayed name."""

QUALITIES = (82, 65, 45)
"""Qualities of an image in HTML, of 100, tried until it is at most ``LARGEST``."""

LARGEST = 75_000
"""Bytes of an image in HTML that are not exceeded unless the lowest quality does."""


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
    """A figure as HTML that needs no other file and no script: a compressed image, and values under the pointer.

    Args:
        figure: the figure, with :class:`~relax.modalities.pointer.Cells` where there are values to read.
        alternative: what to read where the image is not shown.
    """
    kind, data = _compressed(figure)
    cells = cells_of(figure)
    image = (
        f'<img style="max-width:100%;display:block" alt="{escape(unescaped(alternative))}" '
        f'src="data:image/{kind};base64,{base64.b64encode(data).decode()}">'
    )
    return f'<div class="relax-figure">{STYLE}{image}{cells}</div>' if cells else image


def _compressed(figure: Figure) -> tuple[str, bytes]:
    """Format and content of a small image file of a figure: WebP where Pillow can write it."""
    if not features.check("webp"):
        return "png", as_png(figure)
    pixels = io.BytesIO()
    figure.savefig(pixels, format="rgba")
    size = (int(figure.bbox.width), int(figure.bbox.height))
    picture = Image.frombytes("RGBA", size, pixels.getvalue()).convert("RGB")
    for quality in QUALITIES:
        file = io.BytesIO()
        picture.save(file, format="WEBP", quality=quality)
        if len(file.getvalue()) <= LARGEST:
            break
    return "webp", file.getvalue()


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
