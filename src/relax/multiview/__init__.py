"""Several views of one object: their explanations, and how much of the score belongs to each."""

from __future__ import annotations

from relax.multiview.explaining import ViewExplanations, explain_views
from relax.multiview.shares import Shares

__all__ = ["Shares", "ViewExplanations", "explain_views"]
