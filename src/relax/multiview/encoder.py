"""A clustering's network as an encoder of several views."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from relax.encoders import Key
from relax.errors import InputError
from relax.multiview.networks import MultiViewNetwork


@dataclass(frozen=True)
class PictureView:
    """From a picture to a view of the shape that the network was trained on, values in [0, 1].

    Args:
        shape: ``(C, H, W)``; one channel is grey.
    """

    shape: tuple[int, ...]

    def __call__(self, picture: Image.Image) -> Tensor:
        channels, height, width = self.shape
        if channels not in (1, 3):
            raise InputError(f"a view of {channels} channels is no picture; give a (C, H, W) tensor")
        small = picture.convert("L" if channels == 1 else "RGB").resize((width, height), Image.Resampling.BILINEAR)
        pixels = torch.from_numpy(np.array(small, dtype=np.float32) / 255)
        return pixels[None] if channels == 1 else pixels.permute(2, 0, 1).contiguous()


class AsEncoder(torch.nn.Module):
    """From views by key to one of the network's outputs."""

    def __init__(
        self, network: MultiViewNetwork, keys: tuple[Key, ...], shapes: list[tuple[int, ...]], output: int
    ) -> None:
        super().__init__()
        self.network = network
        self.keys = keys
        self.shapes = shapes
        self.output = output

    def forward(self, views: Any) -> Tensor:
        for key, shape in zip(self.keys, self.shapes, strict=True):
            if tuple(views[key].shape[1:]) != shape:
                raise InputError(f"view {key!r}: expected shape {shape}, got {tuple(views[key].shape[1:])}")
        fused, _, assignments, _ = self.network([views[key] for key in self.keys])
        outputs: tuple[Tensor, Tensor] = (fused, assignments)
        return outputs[self.output]
