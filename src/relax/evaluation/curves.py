"""Insertion and deletion curves of the representation's similarity (COCOA, ICLR 2023; RISE, BMVC 2018).

Pixels are inserted into a filled picture, or deleted from the intact one, in the order of the map. After each of
``STEPS`` equal steps, the cosine similarity to the intact picture's representation is scaled so that the filled picture
scores 0 and the intact one 1. The metric is the area under that curve. A method may benefit if the metric uses the
method's own fill, so each metric comes with two fills.
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
"""Minimum drop in similarity from the intact to the filled picture; below it the scaled curves would be noise."""

STEPS = 25
"""Number of insertion or deletion steps."""

FILLS = ("blur", "mean")
"""Fills of the curves; metrics with the first have no suffix."""

SHIFTED = 0.2
"""Share of the pixels that is removed for the representation shift."""

_SOURCE = "COCOA (Lin et al., ICLR 2023) with RISE's curves"


def curves(subject: Subject, fill: str) -> dict[str, Any]:
    """Scaled similarities after 0, 1, ..., ``STEPS`` steps, cached on the subject.

    Args:
        subject: the explanation.
        fill: name of the fill.

    Returns:
        ``insertion`` and ``deletion``, each a list of ``STEPS + 1`` numbers; all NaN if the fill lowers the similarity
        by no more than ``LEAST``.
    """
    if fill not in subject.curves:
        subject.curves[fill] = _curves(subject, fill)
    return subject.curves[fill]  # type: ignore[no-any-return]


def filled(subject: Subject, fill: str) -> Tensor:
    """The fully filled input, ``(C, H, W)``.

    Args:
        subject: the explanation.
        fill: name of the fill.

    Raises:
        ArgumentError: the fill does not produce an input.
    """
    background = subject.encoder.modality.fill(fill)
    if not isinstance(background, Background):
        raise ArgumentError(f"fill {fill!r} does not produce an input, which curves need; choose another fill")
    return background.background(subject.tensor, subject.encoder.modality, subject.seed)


def area(values: Sequence[float] | np.ndarray) -> float:
    """Area under a curve over [0, 1], by the trapezoidal rule."""
    return float(np.trapezoid(values, dx=1 / (len(values) - 1)))


def _curves(subject: Subject, fill: str) -> dict[str, list[float]]:
    """Compute the scaled curves."""
    order = torch.from_numpy(subject.ranking())
    x = subject.tensor
    position = torch.empty(len(order), dtype=torch.long)
    position[order] = torch.arange(len(order))
    position = position.view(x.shape[-2:])
    counts = torch.tensor([round(k * len(order) / STEPS) for k in range(STEPS + 1)])
    background = filled(subject, fill)
    with subject.encoder.session(precision="float32") as session:
        x, background, position = (t.to(session.device) for t in (x, background, position))
        intact = session.encode(x[None].clone())
        score = Vectors(intact, SIMILARITIES["cosine"]).score

        def scores(top: Tensor, rest: Tensor, numbers: Tensor) -> Tensor:
            """Scores of inputs with ``top`` at the first ``numbers`` pixels of the ranking and ``rest`` elsewhere."""

            def rows(batch: slice) -> Tensor:
                is_top = position < numbers[batch].to(session.device)[:, None, None]
                return session(torch.where(is_top[:, None], top, rest))

            return score(session.run(len(numbers), tuple(x.shape), rows))

        inserted = scores(x, background, counts[:-1])
        deleted = scores(background, x, counts[1:-1])
        session.check_finite()
    low, high = float(inserted[0]), float(score(intact)[0])
    if not high - low > LEAST:
        flat = [nan] * (STEPS + 1)
        return {"insertion": flat, "deletion": flat}

    def scaled(values: list[float]) -> list[float]:
        return [(value - low) / (high - low) for value in values]

    return {
        "insertion": scaled([*inserted.tolist(), high]),
        "deletion": scaled([high, *deleted.tolist(), low]),
    }


def representation_shift(subject: Subject, fill: str) -> float:
    """Scaled similarity lost when the most important fifth of the pixels is removed.

    Args:
        subject: the explanation.
        fill: name of the fill.
    """
    deletion = curves(subject, fill)["deletion"]
    return 1.0 - float(np.interp(SHIFTED, np.linspace(0, 1, len(deletion)), deletion))


def _metrics(fill: str) -> tuple[Metric, ...]:
    """The curve metrics with one fill."""
    suffix = "" if fill == FILLS[0] else f":{fill}"

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
            f"insertion-deletion{suffix}",
            f"area under the insertion curve minus area under the deletion curve, fill {fill}; 0 for a random map",
            "higher",
            "forwards",
            _SOURCE,
            difference,
        ),
        Metric(
            f"insertion{suffix}",
            f"area under the similarity while pixels are inserted, the most important first, fill {fill}",
            "higher",
            "forwards",
            _SOURCE,
            insertion,
        ),
        Metric(
            f"deletion{suffix}",
            f"area under the similarity while pixels are deleted, the most important first, fill {fill}",
            "lower",
            "forwards",
            _SOURCE,
            deletion,
        ),
        Metric(
            f"representation-shift{suffix}",
            f"similarity lost when the most important fifth of the pixels is removed, fill {fill}",
            "higher",
            "forwards",
            "a point of the deletion curve",
            shift,
        ),
    )


CURVE_METRICS = tuple(metric for fill in FILLS for metric in _metrics(fill))
