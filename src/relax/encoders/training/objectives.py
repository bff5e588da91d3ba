"""What an encoder is trained for: labels, or one of three ways without them; losses and heads are lightly's."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from relax._support.extras import require
from relax.encoders.zoo.small import DIMENSIONS
from relax.errors import UnknownNameError

PROJECTED = 64
PROTOTYPES = 100


class Objective(nn.Module):
    """A backbone with what its training needs besides.

    Args:
        backbone: ``(N, 3, 64, 64) -> (N, 96)``.
    """

    views = 2
    """Augmented versions of each picture."""

    def __init__(self, backbone: nn.Module) -> None:
        super().__init__()
        self.backbone = backbone

    def loss(self, views: list[Tensor], labels: Tensor) -> Tensor:
        """Of a batch: ``views`` of ``(N, 3, 64, 64)``, ``(N,)`` labels that only the supervised way looks at."""
        raise NotImplementedError


class Supervised(Objective):
    """Cross-entropy of the ten classes."""

    views = 1

    def __init__(self, backbone: nn.Module) -> None:
        super().__init__(backbone)
        self.head = nn.Linear(DIMENSIONS, 10)

    def loss(self, views: list[Tensor], labels: Tensor) -> Tensor:
        return F.cross_entropy(self.head(self.backbone(views[0])), labels)


class SimCLR(Objective):
    """Views of one picture are alike, those of different pictures are not (Chen et al., ICML 2020)."""

    def __init__(self, backbone: nn.Module) -> None:
        super().__init__(backbone)
        self.head = _lightly("models.modules").SimCLRProjectionHead(DIMENSIONS, DIMENSIONS, PROJECTED)
        self.contrast = _lightly("loss").NTXentLoss(temperature=0.2)

    def loss(self, views: list[Tensor], labels: Tensor) -> Tensor:
        first, second = self.head(self.backbone(torch.cat(views))).chunk(2)
        return self.contrast(first, second)  # type: ignore[no-any-return]


class SwAV(Objective):
    """Views of one picture are assigned to the same prototype (Caron et al., NeurIPS 2020)."""

    def __init__(self, backbone: nn.Module) -> None:
        super().__init__(backbone)
        modules = _lightly("models.modules")
        self.head = modules.SwaVProjectionHead(DIMENSIONS, DIMENSIONS, PROJECTED)
        self.prototypes = modules.SwaVPrototypes(PROJECTED, PROTOTYPES, n_steps_frozen_prototypes=50)
        self.swap = _lightly("loss").SwaVLoss()
        self.step = 0

    def loss(self, views: list[Tensor], labels: Tensor) -> Tensor:
        self.prototypes.normalize()
        projected = F.normalize(self.head(self.backbone(torch.cat(views))), dim=1)
        assigned = self.prototypes(projected, self.step)
        self.step += 1
        return self.swap(list(assigned.chunk(2)), []).squeeze()  # type: ignore[no-any-return]


class Autoencoder(Objective):
    """The pooled representation gives the picture back: mean squared error, no augmentation but crops and flips."""

    views = 1

    def __init__(self, backbone: nn.Module) -> None:
        super().__init__(backbone)
        layers: list[nn.Module] = [nn.Linear(DIMENSIONS, 64 * 4 * 4), nn.Unflatten(1, (64, 4, 4))]
        for inside, outside in ((64, 64), (64, 48), (48, 32), (32, 16)):
            layers += [
                nn.Upsample(scale_factor=2),
                nn.Conv2d(inside, outside, 3, padding=1),
                nn.BatchNorm2d(outside),
                nn.ReLU(),
            ]
        self.decoder = nn.Sequential(*layers, nn.Conv2d(16, 3, 3, padding=1))

    def loss(self, views: list[Tensor], labels: Tensor) -> Tensor:
        return F.mse_loss(self.decoder(self.backbone(views[0])), views[0])


OBJECTIVES: dict[str, type[Objective]] = {
    "supervised": Supervised,
    "simclr": SimCLR,
    "swav": SwAV,
    "autoencoder": Autoencoder,
}


def objective(way: str, backbone: nn.Module) -> Objective:
    """By name, around a backbone."""
    if way not in OBJECTIVES:
        raise UnknownNameError(f"unknown way to train {way!r}; available: {', '.join(OBJECTIVES)}")
    return OBJECTIVES[way](backbone)


def _lightly(part: str) -> Any:
    return require(f"lightly.{part}", extra="train")
