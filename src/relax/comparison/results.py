"""Explanations of one input by several encoders and methods, and their agreement."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from os import PathLike
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.stats import spearmanr
from skimage.transform import resize

from relax._support.figures import save_figure
from relax.comparison.plot import plot_comparison
from relax.explanation import Explanation
from relax.modalities.showing import as_html, as_png

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TOP = 0.2
"""Share of the pixels, the most important ones, whose overlap is reported."""

SIDE = 224
"""Longest side in pixels at which maps of different encoders are compared."""


@dataclass(frozen=True, eq=False)
class Comparison:
    """Explanations of one input by several encoders and methods.

    Attributes:
        explanations: explanations by ``(encoder, method)``, encoders outermost.
        refused: reasons why a method does not support an encoder, by ``(encoder, method)``.
    """

    explanations: dict[tuple[str, str], Explanation]
    refused: dict[tuple[str, str], str]

    def table(self) -> list[dict[str, Any]]:
        """One row per explanation: encoder, method, forwards, backwards, seconds, reliability."""
        rows = []
        for (encoder, method), e in self.explanations.items():
            cost = {name: e.settings["cost"][name] for name in ("forwards", "backwards", "seconds")}
            rows.append({"encoder": encoder, "method": method, **cost, "reliability": e.reliability})
        return rows

    def agreement(self) -> list[dict[str, Any]]:
        """One row per pair of explanations: Spearman's rank correlation over pixels, and the overlap of the top 20 %.

        The overlap is the share of one map's most important fifth that is also in the other's: 0.2 by chance, at
        most 1.
        """
        maps = {key: self._at_one_size(e) for key, e in self.explanations.items()}
        rows = []
        for (first, a), (second, b) in combinations(maps.items(), 2):
            finite = np.isfinite(a) & np.isfinite(b)
            rank = float(spearmanr(a[finite], b[finite]).statistic)
            tops = [m[finite] >= np.quantile(m[finite], 1 - TOP) for m in (a, b)]
            overlap = float((tops[0] & tops[1]).sum() / max(min(tops[0].sum(), tops[1].sum()), 1))
            names = {"encoder": first[0], "method": first[1], "other encoder": second[0], "other method": second[1]}
            rows.append({**names, "spearman": rank, "top 20 % overlap": overlap})
        return rows

    def plot(self, path: str | PathLike[str] | None = None) -> Figure:
        """Plot the maps: encoders in rows, methods in columns, one colour scale per method; agreement below.

        Args:
            path: file to write (png, pdf, svg, jpg); ``None`` to only return the figure.

        Raises:
            ArgumentError: the file extension is not supported, or the file cannot be written.
        """
        figure = plot_comparison(self.explanations, self.refused, self.agreement())
        if path is not None:
            save_figure(figure, path)
        return figure

    def html(self) -> str:
        """Self-contained HTML of the figure, for notebooks and pages."""
        return as_html(self.plot(), "Maps of encoders by methods, and their agreement")

    _repr_html_ = html

    def _repr_png_(self) -> bytes:
        return as_png(self.plot())

    def __repr__(self) -> str:
        pairs, n = (*self.explanations, *self.refused), len(self.explanations)
        encoders, methods = (", ".join(dict.fromkeys(pair[place] for pair in pairs)) for place in (0, 1))
        refused = f", {len(self.refused)} refused" if self.refused else ""
        return f"Comparison({methods} of {encoders}: {n} map{'' if n == 1 else 's'}{refused})"

    @staticmethod
    def _at_one_size(e: Explanation) -> np.ndarray:
        """The map at picture size, resized to a longest side of ``SIDE`` pixels."""
        values = e.at_picture_size()
        scale = SIDE / max(values.shape)
        size = tuple(max(1, round(side * scale)) for side in values.shape)
        return np.asarray(resize(values.astype(np.float64), size, order=1, mode="edge"))
