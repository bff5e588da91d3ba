"""What a method is: a recipe over the nouns, found by name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from relax.designs import Design
from relax.encoders import Session
from relax.loop import Masked, OnBlock
from relax.masks import Masks
from relax.moments import Moments
from relax.references import Reference
from relax.stopping import Stopping
from relax.thresholds import Threshold


@dataclass(frozen=True, eq=False)
class Problem:
    """One input with everything that a method may ask for."""

    session: Session
    masked: Masked
    masks: Masks
    reference: Reference
    design: Design
    stopping: Stopping
    seed: int
    threshold: Threshold
    on_block: OnBlock | None


@dataclass(frozen=True, eq=False)
class Maps:
    """What a method returns: ``(H, W)`` float64 maps and what they rest on."""

    importance: np.ndarray
    uncertainty: np.ndarray
    standard_error: np.ndarray
    n_masks: int
    n_blocks: int
    degrees_of_freedom: int
    reliability: float

    @classmethod
    def of(cls, moments: Moments) -> Maps:
        """The three maps of the moments of all masks."""
        return cls(
            importance=moments.importance().cpu().numpy(),
            uncertainty=moments.uncertainty().cpu().numpy(),
            standard_error=moments.standard_error().cpu().numpy(),
            n_masks=moments.n_masks,
            n_blocks=moments.n_blocks,
            degrees_of_freedom=moments.degrees_of_freedom,
            reliability=moments.reliability(),
        )


@dataclass(frozen=True)
class Method:
    """A way to explain.

    Attributes:
        name: what users call it.
        summary: one sentence.
        needs: what it asks of an encoder.
        cost: encoder forwards for one input.
        source: where it was published.
        run: the recipe.
    """

    name: str
    summary: str
    needs: str
    cost: str
    source: str
    run: Callable[[Problem], Maps]
