"""What a metric is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from relax.evaluation.subject import Subject

BETTER = {"higher": 1, "lower": -1, "neither": 0}


@dataclass(frozen=True)
class Metric:
    """A number about one explanation.

    Attributes:
        name: what users call it.
        summary: one sentence, with its range.
        better: ``"higher"``, ``"lower"`` or ``"neither"``.
        needs: ``"map"``, ``"mask"`` (of the object), ``"forwards"``, ``"explanations"`` (makes more of them), or
            ``"uncertainty"`` (a method that gives one).
        source: where it was published, or whose implementation it is.
        run: from a subject to the number; NaN where it is not defined.
    """

    name: str
    summary: str
    better: str
    needs: str
    source: str
    run: Callable[[Subject], float]
