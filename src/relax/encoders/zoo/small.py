"""Small encoders of 64x64 scenes that differ only in their training objective; their weights are bundled.

Use them to compare what different objectives make an encoder look at: network, data, number of steps and batch size
are the same (``make encoders``, :mod:`relax.encoders.training`).
"""

from __future__ import annotations

from collections import OrderedDict
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from relax.encoders.base import Encoder
from relax.encoders.zoo.weights import read_weights
from relax.errors import ArgumentError, UnknownNameError
from relax.modalities.image.transforms import ImageTransform

SIZE = 64
DIMENSIONS = 96
WEIGHTS = Path(__file__).parent / "trained"
TRAINED = ("supervised", "simclr", "swav", "autoencoder")
WAYS = (*TRAINED, "pca", "untrained")

COMPONENTS = 64
PCA_SIDE = 32


class Residual(nn.Module):
    """Residual block: two 3x3 convolutions with batch norm, and a shortcut."""

    def __init__(self, in_channels: int, out_channels: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, out_channels, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(out_channels)
        self.conv2 = nn.Conv2d(out_channels, out_channels, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(out_channels)
        self.relu1, self.relu2 = nn.ReLU(), nn.ReLU()
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or in_channels != out_channels:
            self.shortcut = nn.Sequential(
                nn.Conv2d(in_channels, out_channels, 1, stride, bias=False), nn.BatchNorm2d(out_channels)
            )

    def forward(self, x: Tensor) -> Tensor:
        inner = self.bn2(self.conv2(self.relu1(self.bn1(self.conv1(x)))))
        return self.relu2(inner + self.shortcut(x))  # type: ignore[no-any-return]


class SmallResNet(nn.Module):
    """A stem and three residual blocks with 333,000 parameters: ``(N, 3, 64, 64)`` to ``(N, 96)``."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 32, 5, 2, 2, bias=False), nn.BatchNorm2d(32), nn.ReLU())  # 32 x 32
        self.stages = nn.Sequential(
            OrderedDict(a=Residual(32, 48, 2), b=Residual(48, DIMENSIONS, 2), c=Residual(DIMENSIONS, DIMENSIONS, 1))
        )  # 8 x 8

    def forward(self, x: Tensor) -> Tensor:
        return self.stages(self.stem(x)).mean((2, 3))  # type: ignore[no-any-return]


class Components(nn.Module):
    """Principal components of the pixels at half resolution: ``(N, 3, 64, 64)`` to ``(N, 64)``."""

    def __init__(self) -> None:
        super().__init__()
        self.pool = nn.AdaptiveAvgPool2d(PCA_SIDE)
        self.project = nn.Linear(3 * PCA_SIDE**2, COMPONENTS)

    def forward(self, x: Tensor) -> Tensor:
        return self.project(self.pool(x).flatten(1))  # type: ignore[no-any-return]


def network(way: str) -> nn.Module:
    """The network for an objective, with random weights that are the same on every call."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return Components() if way == "pca" else SmallResNet()


def transform() -> ImageTransform:
    """The preprocessing of the small encoders."""
    return ImageTransform(size=(SIZE, SIZE), interpolation="bilinear")


def fashion_encoder(way: str, *, weights: str | Path | None = None, pool: Any = "auto") -> Encoder:
    """Load a small encoder by its training objective.

    Args:
        way: ``"supervised"``, ``"simclr"``, ``"swav"``, ``"autoencoder"``, ``"pca"`` or ``"untrained"``; optionally
            followed by a colon and a file of weights, as in ``"simclr:mine.safetensors"``.
        weights: file written by ``relax train`` to load instead of the bundled weights.
        pool: see :class:`Encoder`.

    Raises:
        UnknownNameError: ``way`` is unknown; the message lists the available ones.
        ArgumentError: weights are given for ``"untrained"``.
        EncoderError: the weights cannot be read.
    """
    name = f"fashion:{way}"
    way, _, file = way.partition(":")
    weights = weights or file or None
    if way not in WAYS:
        raise UnknownNameError(f"unknown small encoder {name!r}; available: {', '.join(WAYS)}")
    if way == "untrained" and weights:
        raise ArgumentError(f"fashion:untrained takes no trained weights, got {weights}")
    model = network(way)
    if way != "untrained":
        state = read_weights(weights or WEIGHTS / f"fashion-{way}.safetensors")
        model.load_state_dict({key: value.float() for key, value in state.items()})
    return Encoder(model.eval(), transform(), name=name, pool=pool, origin={"name": name, "weights": weights})
