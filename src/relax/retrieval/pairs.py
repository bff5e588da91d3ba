"""Explain why two inputs match: a map on each, and which region answers which."""

from __future__ import annotations

from dataclasses import dataclass
from os import PathLike
from typing import TYPE_CHECKING, Any

from relax._support.atomic import atomic_write, writable_folder
from relax._support.figures import save_figure
from relax.encoders import Encoder, ensure
from relax.errors import ArgumentError
from relax.estimation.strata import Tried
from relax.explainer import Explainer
from relax.explanation import Explanation
from relax.modalities import Prepared
from relax.modalities.showing import as_png, called, page_of
from relax.references import Pair
from relax.retrieval.interactions import Interactions, Side

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MAX_CELLS = 16
"""Maximum number of regions along a side; beyond it a few hundred masks do not suffice to estimate interactions."""


@dataclass(frozen=True, eq=False)
class Match:
    """Two inputs and an explanation of their similarity.

    Attributes:
        similarity: similarity of their representations.
        a: explanation of the first input against the second.
        b: explanation of the second input against the first.
        interactions: interactions of their regions; ``None`` if not requested.
    """

    similarity: float
    a: Explanation
    b: Explanation
    interactions: Interactions | None = None

    def plot(self, path: str | PathLike[str] | None = None) -> Figure:
        """Plot both inputs and their maps on one colour scale; below, which region answers which.

        Args:
            path: file to write (png, pdf, svg, jpg); ``None`` to only return the figure.

        Raises:
            ArgumentError: the file extension is not supported, or the file cannot be written.
        """
        figure = self.a.modality.show_pair(self.a, self.b, self.similarity, self.interactions)
        if path is not None:
            save_figure(figure, path)
        return figure

    def html(self) -> str:
        """Self-contained HTML, for notebooks and pages."""
        return self.a.modality.page_of_pair(self.a, self.b, self.similarity, self.interactions)

    _repr_html_ = html

    def _repr_png_(self) -> bytes:
        return as_png(self.plot())

    def page(self, path: str | PathLike[str]) -> None:
        """Write a self-contained HTML page atomically.

        Args:
            path: destination; an existing file is replaced.

        Raises:
            ArgumentError: the file cannot be written.
        """
        names = " and ".join(called(e.settings["input"]) for e in (self.a, self.b))
        with atomic_write(path) as file:
            file.write(page_of(names, [self.html()]).encode("utf-8", "replace"))

    def save(self, folder: str | PathLike[str]) -> None:
        """Write both explanations, ``a.npz`` and ``b.npz``, to a folder.

        Args:
            folder: created if needed.

        Raises:
            ArgumentError: the folder cannot be written to.
        """
        target = writable_folder(folder)
        self.a.save(target / "a.npz")
        self.b.save(target / "b.npz")

    def __repr__(self) -> str:
        return f"Match(similarity={self.similarity:.3f}, a={self.a!r}, b={self.b!r})"


class Matcher:
    """Explains the similarity of pairs of inputs; reuses the encoder for many pairs.

    Args:
        encoder: anything :func:`relax.explain` accepts.
        regions: also estimate which region (for texts which word) of one input answers which of the other, from the
            same forward passes.
        cells: regions along each side of a picture, from 2 to 16.
        method: a name from ``relax list methods``, or a method instance; ``None`` for the default.
        arguments: further arguments of :class:`relax.Explainer`.

    Raises:
        ArgumentError: an argument is out of range, or ``regions`` is set for a method whose masks cannot be observed.
    """

    def __init__(
        self, encoder: Any, *, regions: bool = False, cells: int = 7, method: Any = None, **arguments: Any
    ) -> None:
        if isinstance(cells, bool) or not isinstance(cells, int) or not 2 <= cells <= MAX_CELLS:
            raise ArgumentError(f"expected `cells` to be an integer from 2 to {MAX_CELLS}, got {cells!r}")
        if "against" in arguments:
            raise ArgumentError("match() compares its two inputs with each other; it takes no `against`")
        self.encoder: Encoder = ensure(encoder)
        self.explainer = Explainer(self.encoder, method=method, **arguments)
        self.regions, self.cells = regions, cells
        if regions and not self.explainer.method.observable:
            raise ArgumentError(
                "regions=True needs method='relax-regression', 'relax' or 'u-relax', "
                f"got {self.explainer.method.name!r}"
            )

    def read(self, source: Any) -> Read:
        """Read and encode an input once, to use it in several matches.

        Args:
            source: one input.
        """
        _, prepared = self.explainer.prepared(source)
        return Read(prepared, self.encoder.encode(prepared)[0])

    def __call__(self, a: Any, b: Any) -> Match:
        """Explain why two inputs are similar, by masking each while the other is intact.

        Args:
            a: one input, or the result of :meth:`read`.
            b: the other input, likewise.
        """
        one, other = (source if isinstance(source, Read) else self._prepared(source) for source in (a, b))
        of_a, side_a = self._side(one, other)
        of_b, side_b = self._side(other, one)
        interactions = None if side_a is None or side_b is None else Interactions.between(side_a, side_b)
        return Match(of_a.score, of_a, of_b, interactions)

    def _prepared(self, source: Any) -> Read:
        return Read(self.explainer.prepared(source)[1], None)

    def _side(self, masked: Read, intact: Read) -> tuple[Explanation, Side | None]:
        """Explain one input against the other, and accumulate its masks for the interactions."""
        sides: list[Side] = []

        def add(tried: Tried) -> None:
            if not sides:
                regions = self.encoder.modality.regions(tried.perturbed.prepared, self.cells)
                sides.append(Side(regions, self._similarity))
            sides[0](tried)

        against = Pair(intact.prepared, intact.representation)
        explanation = self.explainer.run(masked.prepared, against, watch=(add,) if self.regions else ())
        return explanation, sides[0] if sides else None

    @property
    def _similarity(self) -> str:
        return str(self.explainer.similarity or self.explainer.method.score_similarity)


@dataclass(frozen=True, eq=False)
class Read:
    """A preprocessed input of a match.

    Attributes:
        prepared: the preprocessed input.
        representation: ``(D,)``; ``None`` if not computed yet.
    """

    prepared: Prepared
    representation: Any


def match(encoder: Any, a: Any, b: Any, *, regions: bool = False, cells: int = 7, **arguments: Any) -> Match:
    """Explain why two inputs are similar: a map on each, by masking one while the other is intact.

    Args:
        encoder: anything :func:`relax.explain` accepts.
        a: one input.
        b: the other input.
        regions: also estimate which region (for texts which word) of ``b`` answers which of ``a``, from the same
            forward passes.
        cells: regions along each side of a picture, from 2 to 16.
        arguments: further arguments of :class:`relax.Explainer`.

    Raises:
        ArgumentError: an argument is out of range, or ``regions`` is set for a method whose masks cannot be observed.
        InputError: an input cannot be read.

    Example:
        >>> import torch, relax
        >>> encoder = relax.Encoder(torch.nn.Conv2d(3, 8, 3))
        >>> pair = relax.match(encoder, torch.rand(3, 28, 28), torch.rand(3, 28, 28), regions=True, n_masks=256)
        >>> pair.a.importance.shape, pair.interactions.values.shape
        ((28, 28), (49, 49))
    """
    return Matcher(encoder, regions=regions, cells=cells, **arguments)(a, b)
