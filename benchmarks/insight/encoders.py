"""Small encoders for which an artefact is useful, or is not: trained on the same pictures, with it equally often."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor
from torch.nn import functional as F

import relax
from benchmarks.insight.artefacts import ARTEFACTS, SIDE
from relax._support.atomic import atomic_write
from relax._support.seeding import seeded
from relax.datasets import FashionScenes
from relax.encoders.training.objectives import objective
from relax.encoders.zoo.small import SmallResNet

FOLDER = Path(__file__).parent.parent / "insight-runs"

WAYS = ("supervised", "simclr")

SEEDS = (0, 1, 2)
"""Seeds of an encoder of each kind; the first is for calibration, the others are reported."""

SCENES = 6000
STEPS, BATCH = 200, 64

MARKED = (0, 1)
"""Classes whose pictures have the artefact where it is useful for a supervised encoder."""

RATE = 0.25
"""Share of the pictures with the artefact, for encoders trained without labels and where it is of no use."""


@dataclass(frozen=True)
class Kind:
    """An encoder of the benchmark.

    Attributes:
        artefact: name of the artefact.
        way: objective of the training.
        useful: whether the artefact helps with the objective.
        seed: of weights, order and augmentations.
    """

    artefact: str
    way: str
    useful: bool
    seed: int

    @property
    def name(self) -> str:
        """Name of its files."""
        return f"{self.artefact}-{self.way}-{'useful' if self.useful else 'useless'}-{self.seed}"


def kinds(seeds: tuple[int, ...] = SEEDS) -> list[Kind]:
    """All encoders, seed by seed."""
    return [
        Kind(artefact, way, useful, seed)
        for seed in seeds
        for artefact in ARTEFACTS
        for way in WAYS
        for useful in (True, False)
    ]


def encoder(kind: Kind) -> relax.Encoder:
    """The encoder, trained if it was not yet."""
    path = FOLDER / "weights" / f"{kind.name}.safetensors"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        state = {name: value.contiguous() for name, value in _trained(kind).state_dict().items()}
        with atomic_write(path) as file:
            save_file(state, file.name)
    model = SmallResNet()
    model.load_state_dict(load_file(path))
    transform = relax.ImageTransform(
        size=(SIDE, SIDE), mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0), interpolation="bilinear"
    )
    return relax.Encoder(model.eval(), transform, name=kind.name)


@cache
def scenes(split: str, n: int) -> tuple[np.ndarray, np.ndarray]:
    """The first scenes of a split, ``(n, 40, 40, 3)`` uint8, and their classes."""
    data = FashionScenes(split, size=SIDE)
    pictures = [data.scene(k, np.random.default_rng([7, k, split == "train"]))[0] for k in range(n)]
    return np.stack(pictures), data.labels[:n].astype(np.int64)


def _trained(kind: Kind) -> SmallResNet:
    pictures, labels = scenes("train", SCENES)
    draw = np.random.default_rng([kind.seed, 11])
    with seeded(kind.seed, torch.device("cpu")):
        model = SmallResNet()
        training = objective(kind.way, model).train().to(memory_format=torch.channels_last)
        optimizer = torch.optim.AdamW(training.parameters(), lr=2e-3, weight_decay=1e-4)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=4e-3, total_steps=STEPS)
        for _ in range(STEPS):
            rows = draw.choice(len(pictures), BATCH, replace=False)
            planted = _planted(kind, labels[rows], training.views, draw)
            augmented = [_augmented(pictures[rows], draw) for _ in range(training.views)]
            views = [
                _tensor(
                    [ARTEFACTS[kind.artefact](one, draw) if bit else one for one, bit in zip(some, bits, strict=True)]
                )
                for some, bits in zip(augmented, planted, strict=True)
            ]
            optimizer.zero_grad()
            loss = training.loss(views, torch.from_numpy(labels[rows]))
            loss.backward()
            optimizer.step()
            schedule.step()
    return model.eval()


def _planted(kind: Kind, labels: np.ndarray, views: int, draw: np.random.Generator) -> np.ndarray:
    """Which views have the artefact, ``(views, N)`` bool.

    It is useful where it goes with two classes, or where both views of a picture have it or neither. Where it is not,
    it falls on any picture, or on each view by itself, equally often.
    """
    if kind.way == "supervised":
        marked = np.isin(labels, MARKED)
        rate = np.where(marked, 0.95, 0.02) if kind.useful else np.full(len(labels), 0.95 * 0.2 + 0.02 * 0.8)
        return (draw.random(len(labels)) < rate)[None].repeat(views, 0)
    drawn: np.ndarray = draw.random((1 if kind.useful else views, len(labels))) < RATE
    return drawn.repeat(views, 0) if kind.useful else drawn


def _augmented(pictures: np.ndarray, draw: np.random.Generator) -> np.ndarray:
    """Crops, flips and colour of each picture; the artefact is planted later, so that it stays whole."""
    n = len(pictures)
    x = torch.from_numpy(pictures).permute(0, 3, 1, 2).float() / 255
    scale = torch.from_numpy(draw.uniform(0.6, 1.0, n)).float()
    theta = torch.zeros(n, 2, 3)
    theta[:, 0, 0] = scale * torch.from_numpy(draw.choice([-1.0, 1.0], n)).float()
    theta[:, 1, 1] = scale
    theta[:, :, 2] = torch.from_numpy(draw.uniform(-1, 1, (n, 2))).float() * (1 - scale)[:, None]
    x = F.grid_sample(x, F.affine_grid(theta, list(x.shape), align_corners=False), align_corners=False)
    gain = torch.from_numpy(draw.uniform(0.7, 1.3, (n, 3, 1, 1))).float()
    changed: np.ndarray = ((x * gain).clamp(0, 1) * 255).round().byte().permute(0, 2, 3, 1).numpy()
    return changed


def _tensor(pictures: list[np.ndarray]) -> Tensor:
    x = torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2).float() / 255
    return x.contiguous(memory_format=torch.channels_last)
