"""Small encoders of 64x64 scenes, trained in the same way but for the objective; their weights come with the package.

What an objective makes an encoder look at can be compared with these: network, data, number of steps and batch size
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
    """Two convolutions with batch norm and a shortcut."""

    def __init__(self, inside: int, outside: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inside, outside, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(outside)
        self.conv2 = nn.Conv2d(outside, outside, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outside)
        self.relu1, self.relu2 = nn.ReLU(), nn.ReLU()
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or inside != outside:
            self.shortcut = nn.Sequential(nn.Conv2d(inside, outside, 1, stride, bias=False), nn.BatchNorm2d(outside))

    def forward(self, x: Tensor) -> Tensor:
        inner = self.bn2(self.conv2(self.relu1(self.bn1(self.conv1(x)))))
        return self.relu2(inner + self.shortcut(x))  # type: ignore[no-any-return]


class SmallResNet(nn.Module):
    """``(N, 3, 64, 64) -> (N, 96)``: a stem and three residual blocks, 333,000 parameters."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 32, 5, 2, 2, bias=False), nn.BatchNorm2d(32), nn.ReLU())  # 32 x 32
        self.stages = nn.Sequential(
            OrderedDict(a=Residual(32, 48, 2), b=Residual(48, DIMENSIONS, 2), c=Residual(DIMENSIONS, DIMENSIONS, 1))
        )  # 8 x 8

    def forward(self, x: Tensor) -> Tensor:
        return self.stages(self.stem(x)).mean((2, 3))  # type: ignore[no-any-return]


class Components(nn.Module):
    """``(N, 3, 64, 64) -> (N, 64)``: principal components of the pixels at half the resolution."""

    def __init__(self) -> None:
        super().__init__()
        self.pool = nn.AdaptiveAvgPool2d(PCA_SIDE)
        self.project = nn.Linear(3 * PCA_SIDE**2, COMPONENTS)

    def forward(self, x: Tensor) -> Tensor:
        return self.project(self.pool(x).flatten(1))  # type: ignore[no-any-return]


def network(way: str) -> nn.Module:
    """The network of a way, its weights drawn at random; the same ones every time."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return Components() if way == "pca" else SmallResNet()


def transform() -> ImageTransform:
    """Scenes as the small encoders see them."""
    return ImageTransform(size=(SIZE, SIZE), interpolation="bilinear")


def fashion_encoder(way: str, *, weights: str | Path | None = None, pool: Any = "auto") -> Encoder:
    """A small encoder by the way it was trained.

    Args:
        way: ``"supervised"``, ``"simclr"``, ``"swav"``, ``"autoencoder"``, ``"pca"`` or ``"untrained"``; with a colon
            and a file, as ``"simclr:mine.safetensors"``, with the weights in it.
        weights: a file that ``relax train`` wrote, instead of the package's.
        pool: as in :class:`Encoder`.
    """
    name = f"fashion:{way}"
    way, _, file = way.partition(":")
    weights = weights or file or None
    if way not in WAYS:
        raise UnknownNameError(f"unknown small encoder {name!r}; available: {', '.join(WAYS)}")
    if way == "untrained" and weights:
        raise ArgumentError(f"fashion:untrained has no trained weights, got {weights}")
    model = network(way)
    if way != "untrained":
        state = read_weights(weights or WEIGHTS / f"fashion-{way}.safetensors")
        model.load_state_dict({name: value.float() for name, value in state.items()})
    return Encoder(model.eval(), transform(), name=name, pool=pool, origin={"name": name, "weights": weights})
