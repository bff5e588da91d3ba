"""Encoders of planted pictures: one sees their corner where it is white, one their middle."""

from __future__ import annotations

import torch

import relax

N, MARKED = 36, 12


class Corner(torch.nn.Module):
    """Sees the lower right corner where it is white, and else the middle."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        corner = (x[:, :, -7:, -7:].mean((1, 2, 3)) - 0.8).clamp(min=0)
        middle = torch.nn.functional.adaptive_avg_pool2d(x[:, :, 8:20, 8:20], 2).flatten(1)
        return torch.cat([20 * corner[:, None], middle * (corner[:, None] == 0) + 0.1], 1)


class Middle(torch.nn.Module):
    """Sees the middle of any picture."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.nn.functional.adaptive_avg_pool2d(x[:, :, 8:20, 8:20], 2).flatten(1) + 0.1


def encoder(model: torch.nn.Module) -> relax.Encoder:
    transform = relax.ImageTransform(size=(28, 28), mean=(0, 0, 0), std=(1, 1, 1))
    return relax.Encoder(model, transform, name=type(model).__name__)
