"""References: what the representation of a masked input is compared with.

The user chooses an :class:`Against`. For one encoder and one input it yields a :class:`Reference`, which scores
representations.
"""

from __future__ import annotations

from numbers import Number
from typing import Any

from relax._support.registry import Registry
from relax.encoders import Encoder
from relax.errors import ArgumentError
from relax.references.base import Against, Context, Function, Reference, Vectors
from relax.references.groups import Class, Cluster
from relax.references.inputs import Corpus, Itself, Pair
from relax.references.sentences import Text
from relax.references.vectors import Dimension, Direction, Point

REFERENCES: Registry[type[Against]] = Registry(
    "reference",
    {
        "itself": "relax.references.inputs:Itself",
        "input": "relax.references.inputs:Pair",
        "corpus": "relax.references.inputs:Corpus",
        "cluster": "relax.references.groups:Cluster",
        "class": "relax.references.groups:Class",
        "text": "relax.references.sentences:Text",
        "point": "relax.references.vectors:Point",
        "direction": "relax.references.vectors:Direction",
        "dimension": "relax.references.vectors:Dimension",
    },
    group="relax.reference",
)


def ensure(against: Any, encoder: Encoder) -> Against:
    """Convert ``against`` to an :class:`Against`.

    Args:
        against: ``None`` for the input itself, another input, or an Against, which is returned unchanged.
        encoder: the encoder that reads the other input.

    Raises:
        ArgumentError: ``against`` is a list of inputs, which is a :class:`Corpus`.
        InputError: the other input cannot be read.
    """
    if isinstance(against, Against):
        return against
    if isinstance(against, list) and not all(isinstance(item, (Number, list, tuple)) for item in against):
        raise ArgumentError(
            f"expected `against` to be one input or a reference, got a list of {len(against)}; "
            "pass relax.Corpus([...]) to compare with several inputs"
        )
    return Itself() if against is None else Pair(encoder.prepare(against))


__all__ = [
    "REFERENCES",
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
    "Reference",
    "Text",
    "Vectors",
    "ensure",
]
