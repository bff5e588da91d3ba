"""Why two inputs match: a map on each, and which region answers which."""

from __future__ import annotations

from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

from relax._support.figures import save_figure
from relax.encoders import Encoder, ensure
from relax.errors import ArgumentError
from relax.explainer import Explainer
from relax.explanation import Explanation
from relax.modalities import Prepared
from relax.references import Pair
from relax.retrieval.interactions import Interactions, Side
from relax.retrieval.plot import plot_match

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MOST_CELLS = 16
"""Regions along a side of which interactions are still estimated from a few hundred masks."""


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
        figure = plot_match(self.a, self.b, self.similarity, self.interactions)
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


class Matcher:
    """Says what makes inputs similar to each other; the encoder is held ready for many pairs.

    Args:
        encoder: what :func:`relax.explain` takes.
        regions: also estimate which region of one answers which region of the other, from the same forwards.
        cells: regions along each side.
        method: a name from ``relax list methods``, or a method with its parameters.
        arguments: of :class:`relax.Explainer`.

    Raises:
        ArgumentError: an argument is out of range, or regions are asked of a method whose masks are not those of a
            design.
    """

    def __init__(
        self, encoder: Any, *, regions: bool = False, cells: int = 7, method: Any = "relax", **arguments: Any
    ) -> None:
        if isinstance(cells, bool) or not isinstance(cells, int) or not 2 <= cells <= MOST_CELLS:
            raise ArgumentError(f"expected `cells` from 2 to {MOST_CELLS}, got {cells!r}")
        if "against" in arguments:
            raise ArgumentError("match() compares its two inputs with each other; it takes no `against`")
        self.encoder: Encoder = ensure(encoder)
        self.explainer = Explainer(self.encoder, method=method, **arguments)
        self.regions, self.cells = regions, cells
        if regions and not self.explainer.method.observable:
            raise ArgumentError(f"regions=True needs method='relax' or 'u-relax', got {self.explainer.method.name!r}")

    def read(self, source: Any) -> Read:
        """One input, read and encoded once for any number of matches."""
        _, prepared = self.explainer.prepared(source)
        return Read(prepared, self.encoder.encode(prepared)[0])

    def __call__(self, a: Any, b: Any) -> Match:
        """What makes two inputs similar: a map on each, from masks on one while the other is whole.

        Args:
            a: one input, or one that was :meth:`read`.
            b: another.
        """
        one, other = (source if isinstance(source, Read) else self._prepared(source) for source in (a, b))
        of_a, side_a = self._side(one, other)
        of_b, side_b = self._side(other, one)
        found = None if side_a is None or side_b is None else Interactions.between(side_a, side_b)
        return Match(of_a.score, of_a, of_b, found)

    def _prepared(self, source: Any) -> Read:
        return Read(self.explainer.prepared(source)[1], None)

    def _side(self, masked: Read, whole: Read) -> tuple[Explanation, Side | None]:
        """The explanation of one input against the other, and what regions need of its masks."""
        side = Side(self.cells, self._similarity) if self.regions else None
        against = Pair(whole.prepared, whole.representation)
        return self.explainer.run(masked.prepared, against, watch=() if side is None else (side,)), side

    @property
    def _similarity(self) -> str:
        return str(self.explainer.similarity or self.explainer.method.score_similarity)


@dataclass(frozen=True, eq=False)
class Read:
    """One input of a match.

    Attributes:
        prepared: as the encoder sees it.
        representation: ``(D,)``, where it is known.
    """

    prepared: Prepared
    representation: Any


def match(encoder: Any, a: Any, b: Any, *, regions: bool = False, cells: int = 7, **arguments: Any) -> Match:
    """What makes two inputs similar: a map on each, from masks on one while the other is whole.

    Args:
        encoder: what :func:`relax.explain` takes.
        a: one input.
        b: another.
        regions: also estimate which region of ``b`` answers which region of ``a``, from the same forwards.
        cells: regions along each side.
        arguments: of :class:`relax.Explainer`; the method is ``"relax"`` unless another is named.

    Example:
        >>> import torch, relax
        >>> encoder = relax.Encoder(torch.nn.Conv2d(3, 8, 3))
        >>> pair = relax.match(encoder, torch.rand(3, 28, 28), torch.rand(3, 28, 28), regions=True, n_masks=256)
        >>> pair.a.importance.shape, pair.interactions.values.shape
        ((28, 28), (49, 49))
    """
    return Matcher(encoder, regions=regions, cells=cells, **arguments)(a, b)
