"""Training objectives, one with labels and three without; SimCLR and SwAV use lightly's heads and losses."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from relax._support.extras import require
from relax.encoders.zoo.small import DIMENSIONS
from relax.errors import UnknownNameError

PROJECTION_DIM = 64
PROTOTYPES = 100


class Objective(nn.Module):
    """A backbone with the heads that only its training needs.

    Args:
        backbone: maps ``(N, 3, 64, 64)`` to ``(N, 96)``.
    """

    views = 2
    """Number of augmented versions of each image."""

    def __init__(self, backbone: nn.Module) -> None:
        super().__init__()
        self.backbone = backbone

    def loss(self, views: list[Tensor], labels: Tensor) -> Tensor:
        """Loss of one batch.

        Args:
            views: the augmented versions, ``(N, 3, 64, 64)`` each.
            labels: ``(N,)`` classes; only the supervised objective uses them.

        Returns:
            A scalar.
        """
        raise NotImplementedError


class Supervised(Objective):
    """Cross-entropy over the ten classes."""

    views = 1

    def __init__(self, backbone: nn.Module) -> None:
        super().__init__(backbone)
        self.head = nn.Linear(DIMENSIONS, 10)

    def loss(self, views: list[Tensor], labels: Tensor) -> Tensor:
        return F.cross_entropy(self.head(self.backbone(views[0])), labels)


class SimCLR(Objective):
    """Pulls views of one image together and pushes those of different images apart (Chen et al., ICML 2020)."""

    def __init__(self, backbone: nn.Module) -> None:
        super().__init__(backbone)
        self.head = _lightly("models.modules").SimCLRProjectionHead(DIMENSIONS, DIMENSIONS, PROJECTION_DIM)
        self.contrast = _lightly("loss").NTXentLoss(temperature=0.2)

    def loss(self, views: list[Tensor], labels: Tensor) -> Tensor:
        first, second = self.head(self.backbone(torch.cat(views))).chunk(2)
        return self.contrast(first, second)  # type: ignore[no-any-return]


class SwAV(Objective):
    """Assigns views of one image to the same prototypes (Caron et al., NeurIPS 2020)."""

    def __init__(self, backbone: nn.Module) -> None:
        super().__init__(backbone)
        modules = _lightly("models.modules")
        self.head = modules.SwaVProjectionHead(DIMENSIONS, DIMENSIONS, PROJECTION_DIM)
        self.prototypes = modules.SwaVPrototypes(PROJECTION_DIM, PROTOTYPES, n_steps_frozen_prototypes=50)
        self.swap = _lightly("loss").SwaVLoss()
        self.step = 0

    def loss(self, views: list[Tensor], labels: Tensor) -> Tensor:
        self.prototypes.normalize()
        projected = F.normalize(self.head(self.backbone(torch.cat(views))), dim=1)
        scores = self.prototypes(projected, self.step)
        self.step += 1
        return self.swap(list(scores.chunk(2)), []).squeeze()  # type: ignore[no-any-return]


class Autoencoder(Objective):
    """Reconstructs the image from the pooled representation, with mean squared error."""

    views = 1

    def __init__(self, backbone: nn.Module) -> None:
        super().__init__(backbone)
        layers: list[nn.Module] = [nn.Linear(DIMENSIONS, 64 * 4 * 4), nn.Unflatten(1, (64, 4, 4))]
        for in_channels, out_channels in ((64, 64), (64, 48), (48, 32), (32, 16)):
            layers += [
                nn.Upsample(scale_factor=2),
                nn.Conv2d(in_channels, out_channels, 3, padding=1),
                nn.BatchNorm2d(out_channels),
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
    """Wrap a backbone in the objective of this name.

    Raises:
        UnknownNameError: ``way`` is unknown; the message lists the available ones.
    """
    if way not in OBJECTIVES:
        raise UnknownNameError(f"unknown training objective {way!r}; available: {', '.join(OBJECTIVES)}")
    return OBJECTIVES[way](backbone)


def _lightly(part: str) -> Any:
    return require(f"lightly.{part}", extra="train")
