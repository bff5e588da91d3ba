"""Definition of a metric."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from relax.evaluation.subject import Subject

BETTER = {"higher": 1, "lower": -1, "neither": 0}
"""Sign by which larger values are better."""


@dataclass(frozen=True)
class Metric:
    """A number that measures one explanation.

    Attributes:
        name: name for users.
        summary: one sentence, with the range.
        better: ``"higher"``, ``"lower"`` or ``"neither"``.
        needs: ``"map"``, ``"mask"`` (of the object), ``"forwards"``, ``"explanations"`` (computes further ones), or
            ``"uncertainty"`` (a method that estimates it).
        source: publication, or origin of the implementation.
        run: computes the value for a subject; NaN where it is undefined.
    """

    name: str
    summary: str
    better: str
    needs: str
    source: str
    run: Callable[[Subject], float]
