"""What all pictures of explanations share."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from relax._support.figures import literal
from relax.modalities.base import Shown


def title_of(explanation: Shown) -> str:
    """Input, method, encoder, reference, cost and reliability, in one line."""
    settings = explanation.settings
    name = Path(str(settings["input"]["source"])).name
    name = f"{name} ({settings['view']})" if "view" in settings else name
    parts = [name, f"{settings['method']} of {settings['encoder'].get('name')}"]
    if settings["against"] is not None:
        parts.append(f"against {Path(str(settings['against']['source'])).name} (score {explanation.score:.3f})")
    cost = settings["cost"]
    parts.append(f"{explanation.n_masks} masks" if explanation.n_masks else f"{cost['forwards']} forwards")
    if np.isfinite(explanation.reliability):
        parts.append(f"reliability {explanation.reliability:.3f}")
    return literal("   ·   ".join(parts))
