"""Insertion and deletion of the representation's similarity (after COCOA, ICLR 2023, and RISE, BMVC 2018).

Pixels enter a filled picture, or leave the whole one, in the order of the map; after each of ``STEPS`` equal steps the
cosine similarity to the representation of the whole picture is taken, and scaled so that the filled picture is 0 and
the whole one is 1. The metric is the area under that curve. A fill that a method explains with may favour it, so
every one of these metrics comes with two fills.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import nan
from typing import Any

import numpy as np
import torch
from torch import Tensor

from relax.errors import ArgumentError
from relax.evaluation.base import Metric
from relax.evaluation.subject import Subject
from relax.modalities.fills import Background
from relax.references import Vectors
from relax.references.similarity import SIMILARITIES

LEAST = 0.02
"""Similarity that the fill must cost the whole picture; of less, curves between the two would be noise over it."""

STEPS = 25
FILLS = ("blur", "mean")
SHIFTED = 0.2
"""Share of the pixels whose removal makes the representation shift."""

_SOURCE = "COCOA (Lin et al., ICLR 2023) with RISE's curves"


def curves(subject: Subject, fill: str) -> dict[str, Any]:
    """Normalised similarities after 0, 1, ..., ``STEPS`` steps.

    Returns:
        ``insertion`` and ``deletion``, each a list of ``STEPS + 1`` numbers; NaN if the filled picture is as similar
        as the whole one.
    """
    if fill not in subject.curves:
        subject.curves[fill] = _curves(subject, fill)
    return subject.curves[fill]  # type: ignore[no-any-return]


def filled(subject: Subject, fill: str) -> Tensor:
    """The fill as a whole input, of the input's shape."""
    made = subject.encoder.modality.fill(fill)
    if not isinstance(made, Background):
        raise ArgumentError(f"fill {fill!r} is no input of the encoder, which curves need")
    return made.background(subject.tensor, subject.encoder.modality, subject.seed)


def area(values: Sequence[float] | np.ndarray) -> float:
    """Under a curve over [0, 1], by trapezoids."""
    return float(np.trapezoid(values, dx=1 / (len(values) - 1)))


def _curves(subject: Subject, fill: str) -> dict[str, list[float]]:
    order = torch.from_numpy(subject.ranking())
    x = subject.tensor
    position = torch.empty(len(order), dtype=torch.long)
    position[order] = torch.arange(len(order))
    position = position.view(x.shape[-2:])
    counts = torch.tensor([round(k * len(order) / STEPS) for k in range(STEPS + 1)])
    background = filled(subject, fill)
    with subject.encoder.session(precision="float32") as session:
        x, background, position = (t.to(session.device) for t in (x, background, position))
        own = session.encode(x[None].clone())
        score = Vectors(own, SIMILARITIES["cosine"]).score

        def scores(top: Tensor, rest: Tensor, numbers: Tensor) -> Tensor:
            """``top`` at the most important pixels, ``rest`` elsewhere."""

            def rows(some: slice) -> Tensor:
                shown = position < numbers[some].to(session.device)[:, None, None]
                return session(torch.where(shown[:, None], top, rest))

            return score(session.run(len(numbers), tuple(x.shape), rows))

        inside = scores(x, background, counts[:-1])
        outside = scores(background, x, counts[1:-1])
        session.check_finite()
    low, high = float(inside[0]), float(score(own)[0])
    if not high - low > LEAST:
        flat = [nan] * (STEPS + 1)
        return {"insertion": flat, "deletion": flat}

    def scaled(values: list[float]) -> list[float]:
        return [(value - low) / (high - low) for value in values]

    return {
        "insertion": scaled([*inside.tolist(), high]),
        "deletion": scaled([high, *outside.tolist(), low]),
    }


def representation_shift(subject: Subject, fill: str) -> float:
    """``1 − s`` after the most important fifth of the pixels was removed, on the scale of the curves."""
    deletion = curves(subject, fill)["deletion"]
    return 1.0 - float(np.interp(SHIFTED, np.linspace(0, 1, len(deletion)), deletion))


def _metrics(fill: str) -> tuple[Metric, ...]:
    ending = "" if fill == FILLS[0] else f":{fill}"

    def insertion(subject: Subject) -> float:
        return area(curves(subject, fill)["insertion"])

    def deletion(subject: Subject) -> float:
        return area(curves(subject, fill)["deletion"])

    def difference(subject: Subject) -> float:
        return insertion(subject) - deletion(subject)

    def shift(subject: Subject) -> float:
        return representation_shift(subject, fill)

    return (
        Metric(
            f"insertion-deletion{ending}",
            f"area under the insertion curve minus that under the deletion curve, fill {fill}; 0 for a random map",
            "higher",
            "forwards",
            _SOURCE,
            difference,
        ),
        Metric(
            f"insertion{ending}",
            f"area under the similarity while the most important pixels enter, fill {fill}",
            "higher",
            "forwards",
            _SOURCE,
            insertion,
        ),
        Metric(
            f"deletion{ending}",
            f"area under the similarity while the most important pixels leave, fill {fill}",
            "lower",
            "forwards",
            _SOURCE,
            deletion,
        ),
        Metric(
            f"representation-shift{ending}",
            f"similarity lost when the most important fifth of the pixels is removed, fill {fill}",
            "higher",
            "forwards",
            "a point of the deletion curve",
            shift,
        ),
    )


CURVE_METRICS = tuple(metric for fill in FILLS for metric in _metrics(fill))
