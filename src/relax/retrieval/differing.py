"""Explain how two near-duplicates differ, by applying the same mask to both at once."""

from __future__ import annotations

from dataclasses import dataclass
from os import PathLike
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from relax._support.figures import save_figure
from relax.encoders import Encoder, ensure
from relax.errors import ArgumentError, InputError
from relax.explainer import Explainer
from relax.explanation import Explanation
from relax.modalities import Prepared
from relax.modalities.image.pairs import plot_difference
from relax.modalities.showing import as_html, as_png, called
from relax.references import Against, Context, Function, Reference
from relax.retrieval.interactions import CLEAR

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True, eq=False)
class Difference:
    """Two pictures and an explanation of how they differ.

    Attributes:
        similarity: cosine similarity of their representations.
        explanation: explanation of that cosine under masks applied to both pictures; ``effect`` is negative where
            showing a part of both makes them less alike.
        a: the first picture, preprocessed.
        b: the second picture, preprocessed.
    """

    similarity: float
    explanation: Explanation
    a: Prepared
    b: Prepared

    @property
    def found(self) -> bool:
        """Whether some part makes them less alike by more than two standard errors."""
        error = self.explanation.standard_error
        return error is not None and bool((self.explanation.effect < -CLEAR * error).any())

    def plot(self, path: str | PathLike[str] | None = None) -> Figure:
        """Plot both pictures with a line around the parts that differ most, and the map.

        Args:
            path: file to write (png, pdf, svg, jpg); ``None`` to only return the figure.

        Raises:
            ArgumentError: the file extension is not supported, or the file cannot be written.
        """
        figure = plot_difference(self.explanation, self.a, self.b, self.similarity, self.found)
        if path is not None:
            save_figure(figure, path)
        return figure

    def html(self) -> str:
        """Self-contained HTML of the figure with its values under the pointer, for notebooks and pages."""
        names = " and ".join(called(one.source) for one in (self.a, self.b))
        return as_html(self.plot(), f"{names}: what distinguishes them, cosine similarity {self.similarity:.3f}")

    _repr_html_ = html

    def _repr_png_(self) -> bytes:
        return as_png(self.plot())

    def __repr__(self) -> str:
        return f"Difference(similarity={self.similarity:.3f}, found={self.found}, explanation={self.explanation!r})"


def difference(encoder: Any, a: Any, b: Any, **arguments: Any) -> Difference:
    """Explain how two near-duplicates differ; they must show the same things in the same places.

    Each mask is applied to both inputs. If removing a part from both raises their cosine similarity, that part
    distinguishes them.

    Args:
        encoder: anything :func:`relax.explain` accepts.
        a: one input.
        b: the other input, of the same size after preprocessing.
        arguments: further arguments of :class:`relax.Explainer`; the method must be perturbation-based.

    Raises:
        ArgumentError: an argument is out of range; there is no ``against``.
        InputError: the inputs differ in size, or are identical after preprocessing.

    Example:
        >>> import torch, relax
        >>> encoder = relax.Encoder(torch.nn.Conv2d(3, 8, 3))
        >>> a = torch.rand(3, 28, 28)
        >>> b = a.clone()
        >>> b[:, :8, :8] = 0
        >>> result = relax.difference(encoder, a, b, n_masks=512)
        >>> bool(result.explanation.effect[:6, :6].mean() < result.explanation.effect.mean())
        True
    """
    if "against" in arguments:
        raise ArgumentError("difference() compares its two inputs with each other; it takes no `against`")
    encoder = ensure(encoder)
    one, other = encoder.prepare(a), encoder.prepare(b)
    if one.tensor.shape != other.tensor.shape:
        shapes = f"{tuple(one.tensor.shape)} and {tuple(other.tensor.shape)}"
        raise InputError(f"expected two inputs of one size after preprocessing, got {shapes}")
    if torch.equal(one.tensor, other.tensor):
        raise InputError("both inputs are identical after preprocessing: there is no difference to explain")
    joint = Encoder(_JointModel(encoder), name=encoder.name, patch=encoder.patch, origin=encoder.origin)
    stack = Prepared({"both": torch.cat([one.tensor, other.tensor])}, source={"source": "both"})
    e = Explainer(joint, _AgainstEachOther(), **arguments)(stack)
    return Difference(e.score, e, one, other)


class _JointModel(nn.Module):
    """Maps two inputs stacked along channels, ``(N, 2C, H, W)``, to their concatenated representations, ``(N, 2D)``."""

    def __init__(self, encoder: Encoder) -> None:
        super().__init__()
        self.model = encoder.model
        self.modality = encoder.modality
        self.pooling = encoder.pooling

    def forward(self, batch: Tensor) -> Tensor:
        halves = (half.contiguous(memory_format=torch.channels_last) for half in batch.chunk(2, dim=1))
        return torch.cat([self.pooling(self.modality.call(self.model, half), len(half)) for half in halves], dim=1)


class _AgainstEachOther(Against):
    """Scores a concatenated representation by the cosine similarity of its two halves."""

    similarity = "cosine"

    def reference(self, context: Context) -> Reference:
        def cosine(representations: Tensor) -> Tensor:
            one, other = representations.chunk(2, dim=1)
            return torch.nn.functional.cosine_similarity(one, other, dim=1)

        return Function(cosine, "cosine similarity")

    def settings(self) -> dict[str, Any]:
        return {"kind": "each other", "source": "each other"}
