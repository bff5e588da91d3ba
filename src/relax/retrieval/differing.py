"""What tells two nearly equal pictures apart: the same part of both is masked at the same time."""

from __future__ import annotations

from dataclasses import dataclass
from os import PathLike
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from relax._support.figures import save_figure
from relax.encoders import Encoder, ensure
from relax.errors import InputError
from relax.explainer import Explainer
from relax.explanation import Explanation
from relax.modalities import Prepared
from relax.references import Against, Context, Function, Reference
from relax.retrieval.interactions import CLEAR
from relax.retrieval.plot import plot_difference

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True, eq=False)
class Difference:
    """Two pictures and what tells them apart.

    Attributes:
        similarity: cosine of their representations.
        explanation: of that cosine, by masks that are laid over both; ``effect`` is negative where showing a part of
            both makes them less alike.
        a: the first, as the encoder sees it.
        b: the second.
    """

    similarity: float
    explanation: Explanation
    a: Prepared
    b: Prepared

    @property
    def found(self) -> bool:
        """Whether any part makes them less alike by more than twice its standard error."""
        error = self.explanation.standard_error
        return error is not None and bool((self.explanation.effect < -CLEAR * error).any())

    def plot(self, path: str | PathLike[str] | None = None) -> Figure:
        """Both pictures with a line around what differs most, and the map; written to a file if one is named."""
        figure = plot_difference(self.explanation, self.a, self.b, self.similarity, self.found)
        if path is not None:
            save_figure(figure, path)
        return figure


def difference(encoder: Any, a: Any, b: Any, **arguments: Any) -> Difference:
    """What tells two pictures apart that are nearly the same, and show the same things in the same places.

    A mask is laid over both; where their cosine rises when a part of both is removed, that part told them apart.

    Args:
        encoder: what :func:`relax.explain` takes.
        a: one input.
        b: another, of the same size for the encoder.
        arguments: of :class:`relax.Explainer`, for its perturbation methods.

    Raises:
        InputError: the two are of different sizes, or the same to the encoder.

    Example:
        >>> import torch, relax
        >>> encoder = relax.Encoder(torch.nn.Conv2d(3, 8, 3))
        >>> a = torch.rand(3, 28, 28)
        >>> b = a.clone()
        >>> b[:, :8, :8] = 0
        >>> found = relax.difference(encoder, a, b, n_masks=512)
        >>> bool(found.explanation.effect[:6, :6].mean() < found.explanation.effect.mean())
        True
    """
    encoder = ensure(encoder)
    one, other = encoder.prepare(a), encoder.prepare(b)
    if one.tensor.shape != other.tensor.shape:
        shapes = f"{tuple(one.tensor.shape)} and {tuple(other.tensor.shape)}"
        raise InputError(f"expected two inputs of one size for the encoder, got {shapes}")
    if torch.equal(one.tensor, other.tensor):
        raise InputError("both inputs are the same as the encoder sees them: nothing tells them apart")
    both = Encoder(_Both(encoder), name=encoder.name, patch=encoder.patch, origin=encoder.origin)
    stack = Prepared({"both": torch.cat([one.tensor, other.tensor])}, source={"source": "both"})
    e = Explainer(both, _Alike(), **{"method": "relax", **arguments})(stack)
    return Difference(e.score, e, one, other)


class _Both(nn.Module):
    """``(N, 2C, H, W)``, one input above the other, to their representations side by side."""

    def __init__(self, encoder: Encoder) -> None:
        super().__init__()
        self.model = encoder.model
        self.modality = encoder.modality
        self.pooling = encoder.pooling

    def forward(self, batch: Tensor) -> Tensor:
        halves = (half.contiguous(memory_format=torch.channels_last) for half in batch.chunk(2, dim=1))
        return torch.cat([self.pooling(self.modality.call(self.model, half), len(half)) for half in halves], dim=1)


class _Alike(Against):
    """The cosine of the two halves of a representation."""

    similarity = "cosine"

    def reference(self, context: Context) -> Reference:
        def alike(representations: Tensor) -> Tensor:
            one, other = representations.chunk(2, dim=1)
            return torch.nn.functional.cosine_similarity(one, other, dim=1)

        return Function(alike, "cosine similarity")

    def settings(self) -> dict[str, Any]:
        return {"kind": "each other", "source": "each other"}
