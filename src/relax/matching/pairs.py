"""Why two inputs match: a map on each, and which region answers which."""

from __future__ import annotations

from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

from relax import encoders, masks
from relax.api import explain
from relax.designs import DESIGNS
from relax.encoders import Encoder, Prepared
from relax.errors import ArgumentError, InputError
from relax.explanation import Explanation
from relax.masks import Masks
from relax.matching.interactions import Interactions, Side
from relax.references import Pair, Recorded

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MOST_CELLS = 16
"""Regions along a side of which interactions are still estimated from a few hundred masks."""

RECORDABLE = ("relax", "u-relax")
"""Methods whose masks are a design's blocks, so that interactions come from the same forwards."""


@dataclass(frozen=True, eq=False)
class Match:
    """Two inputs and what makes them similar.

    Attributes:
        similarity: of their representations.
        a: explanation of the first against the second.
        b: explanation of the second against the first.
        interactions: of their regions; ``None`` if they were not asked for.
    """

    similarity: float
    a: Explanation
    b: Explanation
    interactions: Interactions | None = None

    def plot(self, path: str | PathLike[str] | None = None) -> Figure:
        """Both inputs and their maps on one colour scale; below, which region answers which.

        Args:
            path: where to write the figure (png, pdf, svg, jpg); ``None`` to only return it.
        """
        from relax.matching.plot import plot_match
        from relax.plotting import save_figure

        figure = plot_match(self)
        if path is not None:
            save_figure(figure, path)
        return figure

    def save(self, folder: str | PathLike[str]) -> None:
        """Write both explanations, ``a.npz`` and ``b.npz``, into a folder."""
        target = Path(folder)
        target.mkdir(parents=True, exist_ok=True)
        self.a.save(target / "a.npz")
        self.b.save(target / "b.npz")

    def __repr__(self) -> str:
        return f"Match(similarity={self.similarity:.3f}, a={self.a!r}, b={self.b!r})"


def match(
    encoder: Any, a: Any, b: Any, *, regions: bool = False, cells: int = 7, method: str = "relax", **arguments: Any
) -> Match:
    """What makes two inputs similar: a map on each, from masks on one while the other is whole.

    Args:
        encoder: what :func:`relax.explain` takes.
        a: one input.
        b: another.
        regions: also estimate which region of ``b`` answers which region of ``a``, from the same forwards.
        cells: regions along each side.
        method: a name from ``relax list methods``.
        arguments: of :func:`relax.explain`.

    Example:
        >>> import torch, relax
        >>> encoder = relax.Encoder(torch.nn.Conv2d(3, 8, 3))
        >>> pair = relax.match(encoder, torch.rand(3, 28, 28), torch.rand(3, 28, 28), regions=True, n_masks=256)
        >>> pair.a.importance.shape, pair.interactions.values.shape
        ((28, 28), (49, 49))
    """
    encoder = encoders.ensure(encoder)
    if isinstance(cells, bool) or not isinstance(cells, int) or not 2 <= cells <= MOST_CELLS:
        raise ArgumentError(f"expected `cells` from 2 to {MOST_CELLS}, got {cells!r}")
    if "against" in arguments:
        raise ArgumentError("match() compares its two inputs with each other; it takes no `against`")
    if regions and method not in RECORDABLE:
        raise ArgumentError(f"regions=True needs method={' or '.join(map(repr, RECORDABLE))}, got {method!r}")
    one, other = (_prepared(encoder, source) for source in (a, b))
    to_b, to_a = Recorded(Pair(other)), Recorded(Pair(one))
    of_a = explain(encoder, one, to_b, method=method, **arguments)
    of_b = explain(encoder, other, to_a, method=method, **arguments)
    interactions = None
    if regions:
        recipe = masks.ensure(arguments.get("masks", "grid"), encoder.patch)
        sides = [_side(one, recipe, of_a, to_b, cells), _side(other, recipe, of_b, to_a, cells)]
        interactions = Interactions.between(sides[0], sides[1], of_a.settings["similarity"], cells)
    return Match(of_a.score, of_a, of_b, interactions)


def _side(prepared: Prepared, recipe: Masks, e: Explanation, against: Recorded, cells: int) -> Side:
    """The masks of an explanation, drawn again, beside the representations that they led to."""
    units = recipe.over(prepared.tensor.cpu())
    design = DESIGNS[e.settings["design"]]
    blocks = [design.block(i, units, recipe.keep, e.settings["seed"]) for i in range(e.n_blocks)]
    return Side.of(against.representations(), units, blocks, cells)


def _prepared(encoder: Encoder, source: Any) -> Prepared:
    if encoders.split(source) is not None:
        raise InputError("match() takes one input and another; give single inputs, not lists")
    return encoder.prepare(source)
