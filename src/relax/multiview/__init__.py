"""Multi-view objects: an explanation and a share of the score for each view, and multi-view clustering."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from relax.multiview.results import ViewExplanations
from relax.multiview.shares import Shares

if TYPE_CHECKING:
    from relax.multiview.clustering import CoMVC


def __getattr__(name: str) -> Any:
    """Import CoMVC on first use, since it needs scikit-learn."""
    if name == "CoMVC":
        from relax.multiview.clustering import CoMVC

        return CoMVC
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


__all__ = ["CoMVC", "Shares", "ViewExplanations"]
