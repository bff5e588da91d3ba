"""Several views of one object: their explanations, and how much of the score belongs to each; clustering of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from relax.multiview.results import ViewExplanations
from relax.multiview.shares import Shares

if TYPE_CHECKING:
    from relax.multiview.clustering import CoMVC


def __getattr__(name: str) -> Any:
    """CoMVC needs scikit-learn, which explanations do not."""
    if name == "CoMVC":
        from relax.multiview.clustering import CoMVC

        return CoMVC
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


__all__ = ["CoMVC", "Shares", "ViewExplanations"]
