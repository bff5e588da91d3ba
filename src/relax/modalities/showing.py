"""Titles shared by the figures of all modalities."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from relax._support.figures import literal
from relax.modalities.shown import Shown

LONGEST = 60
"""Maximum number of characters of a displayed name."""


def called(source: Mapping[str, Any]) -> str:
    """Display name of an input, from its provenance: a file name, or the first words of a text."""
    name = str(source.get("name") or source.get("source", "input"))
    return name if len(name) <= LONGEST else name[: LONGEST - 1] + "…"


def title_of(explanation: Shown) -> str:
    """One-line title of a figure: input, method, encoder, reference, cost and reliability."""
    settings = explanation.settings
    name = called(settings["input"])
    name = f"{name} ({settings['view']})" if "view" in settings else name
    parts = [name, f"{settings['method']} of {settings['encoder'].get('name')}"]
    if settings["against"] is not None:
        parts.append(f"against {Path(str(settings['against']['source'])).name} (score {explanation.score:.3f})")
    cost = settings["cost"]
    parts.append(f"{explanation.n_masks} masks" if explanation.n_masks else f"{cost['forwards']} forwards")
    if np.isfinite(explanation.reliability):
        parts.append(f"reliability {explanation.reliability:.3f}")
    return literal("   ·   ".join(parts))
