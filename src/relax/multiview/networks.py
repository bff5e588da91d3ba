"""The networks of SiMVC and CoMVC: an encoder for each view, a weighted fusion, a clustering head."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn


class ViewScale(nn.Module):
    """Standardises a view: vectors column by column, pictures as a whole.

    Args:
        shape: of an object.
        limit: standard deviations beyond which a vector's values are cut off, so that columns which are nearly always
            the same do not outweigh all others; ``None`` for no limit.
    """

    def __init__(self, shape: tuple[int, ...], limit: float | None = None) -> None:
        super().__init__()
        self.limit = limit if len(shape) == 1 else None
        size = shape if len(shape) == 1 else (1,) * len(shape)
        self.register_buffer("mean", torch.zeros(size))
        self.register_buffer("std", torch.ones(size))
        self.mean: Tensor
        self.std: Tensor

    def fit(self, view: Tensor) -> None:
        """From all objects, ``(N, *shape)``."""
        dims = [0] if view.ndim == 2 else list(range(view.ndim))
        self.mean.copy_(view.mean(dims).view_as(self.mean))
        self.std.copy_(view.std(dims).clamp_min(1e-6).view_as(self.std))

    def forward(self, view: Tensor) -> Tensor:
        scaled = (view - self.mean) / self.std
        return scaled if self.limit is None else scaled.clamp(-self.limit, self.limit)


def view_encoder(shape: tuple[int, ...], dimensions: int, width: int = 256) -> nn.Sequential:
    """Three strided convolutions for a picture ``(C, H, W)``, two layers, ``width`` units between, for a vector."""
    if len(shape) == 1:
        return nn.Sequential(
            nn.Linear(shape[0], width),
            nn.BatchNorm1d(width),
            nn.ReLU(),
            nn.Linear(width, dimensions),
            nn.BatchNorm1d(dimensions),
        )
    layers: list[nn.Module] = []
    channels, sides = shape[0], list(shape[1:])
    for width in (32, 64, 64):
        layers += [nn.Conv2d(channels, width, 3, stride=2, padding=1), nn.BatchNorm2d(width), nn.ReLU()]
        channels, sides = width, [math.ceil(side / 2) for side in sides]
    features = channels * math.prod(sides)
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(features, dimensions), nn.BatchNorm1d(dimensions))


class Fusion(nn.Module):
    """``z = Σ_v w_v z_v`` with weights that are positive and add up to 1."""

    def __init__(self, n_views: int) -> None:
        super().__init__()
        self.logits = nn.Parameter(torch.zeros(n_views))

    @property
    def weights(self) -> Tensor:
        """``(V,)``."""
        return self.logits.softmax(0)

    def forward(self, views: list[Tensor]) -> Tensor:
        fused: Tensor = torch.einsum("v,vnd->nd", self.weights, torch.stack(views))
        return fused


class MultiViewNetwork(nn.Module):
    """From views to a fused representation and soft assignments.

    Args:
        shapes: of the views.
        n_clusters: clusters.
        dimensions: of the representations.
        hidden: units of the layer before the assignments.
        widths: units of each view's first layer, where it is a vector; ``None`` for 256.
        limit: of :class:`ViewScale`.
    """

    def __init__(
        self,
        shapes: list[tuple[int, ...]],
        n_clusters: int,
        dimensions: int,
        hidden: int,
        widths: Sequence[int] | None = None,
        limit: float | None = None,
    ) -> None:
        super().__init__()
        widths = [256] * len(shapes) if widths is None else list(widths)
        self.sizes = {"dimensions": dimensions, "hidden": hidden, "widths": widths, "limit": limit}
        self.scales = nn.ModuleList(ViewScale(shape, limit) for shape in shapes)
        self.encoders = nn.ModuleList(
            view_encoder(shape, dimensions, width) for shape, width in zip(shapes, widths, strict=True)
        )
        self.fusion = Fusion(len(shapes))
        self.hidden = nn.Sequential(nn.Linear(dimensions, hidden), nn.ReLU(), nn.BatchNorm1d(hidden))
        self.head = nn.Sequential(nn.Linear(hidden, n_clusters), nn.Softmax(dim=1))

    def fit_scales(self, views: list[Tensor]) -> None:
        """Standardise by these views, ``(N, *shape)`` each."""
        for scale, view in zip(self.scales, views, strict=True):
            if isinstance(scale, ViewScale):
                scale.fit(view)

    def encode(self, views: list[Tensor]) -> list[Tensor]:
        """``(N, D)`` of each view."""
        parts = zip(views, self.scales, self.encoders, strict=True)
        return [encoder(scale(view)) for view, scale, encoder in parts]

    def forward(self, views: list[Tensor]) -> tuple[Tensor, Tensor, Tensor, list[Tensor]]:
        """Fused representation, hidden layer, assignments, representations of each view."""
        encoded = self.encode(views)
        fused = self.fusion(encoded)
        hidden = self.hidden(fused)
        return fused, hidden, self.head(hidden), encoded
