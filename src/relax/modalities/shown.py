"""The interface of an explanation that a modality can plot and store."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np


class Shown(Protocol):
    """Interface of an explanation that a modality can plot."""

    @property
    def importance(self) -> np.ndarray:
        """Importance map."""

    @property
    def uncertainty(self) -> np.ndarray | None:
        """Uncertainty map; ``None`` if the method has none."""

    @property
    def standard_error(self) -> np.ndarray | None:
        """Standard error map; ``None`` if the method has none."""

    @property
    def effect(self) -> np.ndarray:
        """Importance minus its neutral value."""

    @property
    def n_masks(self) -> int:
        """Number of masks evaluated."""

    @property
    def reliability(self) -> float:
        """Estimated correlation with the converged map, in [0, 1]."""

    @property
    def score(self) -> float:
        """Score of the unmasked input."""

    @property
    def inputs(self) -> dict[str, np.ndarray]:
        """Model-ready tensors by name."""

    @property
    def presentation(self) -> Any:
        """The input as shown to people."""

    @property
    def measures(self) -> dict[str, str]:
        """Quantity that each map measures."""

    @property
    def signed(self) -> bool:
        """Whether to read the importance relative to its neutral value."""

    @property
    def neutral(self) -> float:
        """Importance of a unit that has no effect."""

    @property
    def labels(self) -> tuple[str, ...] | None:
        """Name of each unit; ``None`` without names."""

    @property
    def settings(self) -> dict[str, Any]:
        """JSON-serialisable provenance."""
