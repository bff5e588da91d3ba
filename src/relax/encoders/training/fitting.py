"""train(): a small encoder from scenes, in one of several ways, to a file of weights."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from safetensors.torch import save as to_bytes
from torch import Tensor, nn

from relax._support.atomic import atomic_write
from relax._support.extras import require
from relax._support.seeding import seeded
from relax.datasets import FashionScenes
from relax.encoders import Encoder
from relax.encoders.training.objectives import OBJECTIVES, objective
from relax.encoders.training.probes import knn_accuracy, linear_accuracy
from relax.encoders.zoo.small import SIZE, WAYS, Components, network, transform
from relax.errors import ArgumentError, UnknownNameError

SCENES = 20_000
PROBED = (5000, 2000)
"""Scenes of the training and of the test split that the probes use."""

OnStep = Callable[[int, int, float], None]
"""Called with steps done, steps in all, and the loss."""


def train(
    way: str,
    out: str | Path | None = None,
    *,
    steps: int = 600,
    batch: int = 128,
    seed: int = 0,
    on_step: OnStep | None = None,
) -> dict[str, Any]:
    """Train a small encoder on ``fashion-scenes:train`` and measure what it knows of the classes.

    Args:
        way: ``"supervised"``, ``"simclr"``, ``"swav"``, ``"autoencoder"``; or ``"pca"`` and ``"untrained"``, which
            take no steps.
        out: a safetensors file for the weights; ``None`` to only measure.
        steps: of AdamW, with a cosine schedule.
        batch: pictures in a step.
        seed: of the weights, the order and the augmentations.
        on_step: called after each step.

    Returns:
        ``knn`` and ``linear`` accuracy on the test split, ``seconds``, and the arguments; also in the file's header.
    """
    if way not in WAYS:
        raise UnknownNameError(f"unknown way to train {way!r}; available: {', '.join(WAYS)}")
    if steps < 1 or batch < 2:
        raise ArgumentError(f"expected at least 1 step and batches of at least 2, got {steps} and {batch}")
    if out is not None and not Path(out).resolve().parent.is_dir():
        raise ArgumentError(f"{Path(out).parent}: no such folder for the weights")
    began = time.perf_counter()
    pictures, labels = scenes("train", SCENES)
    model = network(way)
    with seeded(seed, torch.device("cpu")):
        if way in OBJECTIVES:
            _fit(way, model, pictures, labels, steps, batch, on_step)
        elif isinstance(model, Components):
            _fit_components(model, pictures)
    seconds = time.perf_counter() - began
    result = {"way": way, "steps": steps if way in OBJECTIVES else 0, "batch": batch, "seed": seed, **probe(model)}
    if out is not None:
        state = {k: (v.half() if v.ndim > 1 else v).contiguous() for k, v in model.state_dict().items()}
        with atomic_write(out) as file:
            file.write(to_bytes(state, metadata={k: str(v) for k, v in result.items()}))
    return {**result, "seconds": round(seconds, 1)}


def scenes(split: str, n: int) -> tuple[np.ndarray, np.ndarray]:
    """``(N, 64, 64, 3)`` uint8 scenes and ``(N,)`` labels."""
    dataset = FashionScenes(split, size=SIZE)
    pictures = [dataset.scene(k, np.random.default_rng([dataset.seed, k, split == "train"]))[0] for k in range(n)]
    return np.stack(pictures), dataset.labels[:n].astype(np.int64)


def probe(model: nn.Module) -> dict[str, float]:
    """Accuracy of the classes from representations: 20 nearest neighbours, and a linear probe."""
    encoder = Encoder(model.eval(), transform())
    found = []
    for split, n in zip(("train", "test"), PROBED, strict=True):
        pictures, labels = scenes(split, n)
        found.append((encoder.encode(list(pictures), batch_size=64).numpy(), labels))
    return {"knn": round(knn_accuracy(*found), 4), "linear": round(linear_accuracy(*found), 4)}


def _fit(
    way: str, model: nn.Module, pictures: np.ndarray, labels: np.ndarray, steps: int, batch: int, on_step: OnStep | None
) -> None:
    whole = objective(way, model).train().to(memory_format=torch.channels_last)

    optimizer = torch.optim.AdamW(whole.parameters(), lr=2e-3, weight_decay=1e-4)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=2e-3, total_steps=steps)
    augment = _augmentation(way)
    for step, rows in zip(range(steps), _batches(len(pictures), batch), strict=False):
        chosen = [Image.fromarray(picture) for picture in pictures[rows]]
        views = [_stack([augment(picture) for picture in chosen]) for _ in range(whole.views)]
        optimizer.zero_grad()
        loss = whole.loss(views, torch.from_numpy(labels[rows]))
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        schedule.step()
        if on_step is not None:
            on_step(step + 1, steps, float(loss.detach()))
    model.eval()


def _batches(n: int, batch: int) -> Iterator[Tensor]:
    while True:
        order = torch.randperm(n)
        yield from (rows.numpy() for rows in order[: n - n % batch].split(batch))  # type: ignore[no-untyped-call]


def _augmentation(way: str) -> Callable[[Image.Image], Tensor]:
    """lightly's SimCLR transform for small pictures; an autoencoder gets crops and flips only."""
    transforms = require("lightly.transforms", extra="train")
    colour = {"cj_prob": 0.0, "random_gray_scale": 0.0} if way == "autoencoder" else {"cj_strength": 0.5}
    both = transforms.SimCLRTransform(
        input_size=SIZE, min_scale=0.3, gaussian_blur=0.0, **colour
    )  # it makes two views; one of its transforms makes one
    return both.transforms[0]  # type: ignore[no-any-return]


def _stack(tensors: list[Tensor]) -> Tensor:
    return torch.stack(tensors).contiguous(memory_format=torch.channels_last)


def _fit_components(model: Components, pictures: np.ndarray) -> None:
    decomposition = require("sklearn.decomposition", extra="evaluate")
    see = transform()
    x = torch.stack([model.pool(see(Image.fromarray(picture))).flatten() for picture in pictures[:5000]]).numpy()
    found = decomposition.PCA(len(model.project.weight), random_state=0).fit(x)
    with torch.no_grad():
        model.project.weight.copy_(torch.from_numpy(found.components_))
        model.project.bias.copy_(torch.from_numpy(-found.components_ @ found.mean_))
