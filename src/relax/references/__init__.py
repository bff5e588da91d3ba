"""References: what the representation of a masked input is compared with.

A user says what an input is compared with (:class:`Against`); for one encoder and one input that becomes a
:class:`Reference`, which gives every representation a score.
"""

from __future__ import annotations

from typing import Any

from relax.encoders import Encoder
from relax.references.base import Against, Context, Function, Reference, Vectors
from relax.references.groups import Class, Cluster
from relax.references.inputs import Corpus, Itself, Pair
from relax.references.recorded import Recorded
from relax.references.text import Text
from relax.references.vectors import Dimension, Direction, Point


def ensure(against: Any, encoder: Encoder) -> Against:
    """From ``None`` (itself), another input, or something that is one of these already."""
    if isinstance(against, Against):
        return against
    return Itself() if against is None else Pair(encoder.prepare(against))


__all__ = [
    "Against",
    "Class",
    "Cluster",
    "Context",
    "Corpus",
    "Dimension",
    "Direction",
    "Function",
    "Itself",
    "Pair",
    "Point",
    "Recorded",
    "Reference",
    "Text",
    "Vectors",
    "ensure",
]
