"""Train a small encoder on scenes with one of several objectives, and save its weights."""

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
"""Number of training scenes."""

PROBED = (5000, 2000)
"""Number of scenes of the training and of the test split for the probes."""

OnStep = Callable[[int, int, float], None]
"""Called with the number of steps done, the total number of steps, and the loss."""


def train(
    way: str,
    out: str | Path | None = None,
    *,
    steps: int = 600,
    batch: int = 128,
    seed: int = 0,
    on_step: OnStep | None = None,
) -> dict[str, Any]:
    """Train a small encoder on ``fashion-scenes:train`` and measure how well it separates the classes.

    Args:
        way: training objective: ``"supervised"``, ``"simclr"``, ``"swav"`` or ``"autoencoder"``; or ``"pca"`` or
            ``"untrained"``, which take no steps.
        out: safetensors file for the weights; ``None`` to measure only.
        steps: number of AdamW steps, with a one-cycle cosine schedule.
        batch: images per step.
        seed: random seed of the heads, the sampling order and the augmentations; the backbone always starts from the
            same weights.
        on_step: called after each step.

    Returns:
        ``knn`` and ``linear`` accuracy on the test split, ``seconds`` of training, and the arguments. The file header
        holds the same except ``seconds``.

    Raises:
        UnknownNameError: ``way`` is unknown; the message lists the available ones.
        ArgumentError: ``steps`` or ``batch`` is too small, or the folder of ``out`` does not exist.
        MissingExtraError: lightly or scikit-learn is not installed.
        InputError: Fashion-MNIST is not available.
    """
    if way not in WAYS:
        raise UnknownNameError(f"unknown training objective {way!r}; available: {', '.join(WAYS)}")
    if steps < 1 or batch < 2:
        raise ArgumentError(f"expected at least 1 step and batches of at least 2, got {steps} and {batch}")
    if out is not None and not Path(out).resolve().parent.is_dir():
        raise ArgumentError(f"{Path(out).parent}: no such folder; create it before training")
    started = time.perf_counter()
    pictures, labels = scenes("train", SCENES)
    model = network(way)
    with seeded(seed, torch.device("cpu")):
        if way in OBJECTIVES:
            _fit(way, model, pictures, labels, steps, batch, on_step)
        elif isinstance(model, Components):
            _fit_components(model, pictures)
    seconds = time.perf_counter() - started
    result = {"way": way, "steps": steps if way in OBJECTIVES else 0, "batch": batch, "seed": seed, **probe(model)}
    if out is not None:
        state = {
            name: (value.half() if value.ndim > 1 else value).contiguous() for name, value in model.state_dict().items()
        }
        with atomic_write(out) as file:
            file.write(to_bytes(state, metadata={key: str(value) for key, value in result.items()}))
    return {**result, "seconds": round(seconds, 1)}


def scenes(split: str, n: int) -> tuple[np.ndarray, np.ndarray]:
    """The first ``n`` scenes of a split.

    Returns:
        ``(n, 64, 64, 3)`` uint8 scenes and ``(n,)`` int64 labels.
    """
    dataset = FashionScenes(split, size=SIZE)
    pictures = [dataset.scene(k, np.random.default_rng([dataset.seed, k, split == "train"]))[0] for k in range(n)]
    return np.stack(pictures), dataset.labels[:n].astype(np.int64)


def probe(model: nn.Module) -> dict[str, float]:
    """Test accuracy of classifiers on the representations: ``knn`` (20 nearest neighbours) and ``linear``.

    Args:
        model: maps ``(N, 3, 64, 64)`` to ``(N, D)``; it is put in eval mode.
    """
    encoder = Encoder(model.eval(), transform())
    splits = []
    for split, n in zip(("train", "test"), PROBED, strict=True):
        pictures, labels = scenes(split, n)
        splits.append((encoder.encode(list(pictures), batch_size=64).numpy(), labels))
    return {"knn": round(knn_accuracy(*splits), 4), "linear": round(linear_accuracy(*splits), 4)}


def _fit(
    way: str, model: nn.Module, pictures: np.ndarray, labels: np.ndarray, steps: int, batch: int, on_step: OnStep | None
) -> None:
    training = objective(way, model).train().to(memory_format=torch.channels_last)
    optimizer = torch.optim.AdamW(training.parameters(), lr=2e-3, weight_decay=1e-4)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=2e-3, total_steps=steps)
    augment = _augmentation(way)
    for step, rows in zip(range(steps), _batches(len(pictures), batch), strict=False):
        images = [Image.fromarray(picture) for picture in pictures[rows]]
        views = [_stack([augment(image) for image in images]) for _ in range(training.views)]
        optimizer.zero_grad()
        loss = training.loss(views, torch.from_numpy(labels[rows]))
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        schedule.step()
        if on_step is not None:
            on_step(step + 1, steps, float(loss.detach()))
    model.eval()


def _batches(n: int, batch: int) -> Iterator[Tensor]:
    """Endless batches of row indices; each epoch is shuffled, its incomplete last batch dropped."""
    while True:
        order = torch.randperm(n)
        yield from (rows.numpy() for rows in order[: n - n % batch].split(batch))  # type: ignore[no-untyped-call]


def _augmentation(way: str) -> Callable[[Image.Image], Tensor]:
    """lightly's SimCLR transform for small images; crops and flips only for an autoencoder."""
    transforms = require("lightly.transforms", extra="train")
    colour = {"cj_prob": 0.0, "random_gray_scale": 0.0} if way == "autoencoder" else {"cj_strength": 0.5}
    two_views = transforms.SimCLRTransform(input_size=SIZE, min_scale=0.3, gaussian_blur=0.0, **colour)
    return two_views.transforms[0]  # type: ignore[no-any-return]


def _stack(tensors: list[Tensor]) -> Tensor:
    return torch.stack(tensors).contiguous(memory_format=torch.channels_last)


def _fit_components(model: Components, pictures: np.ndarray) -> None:
    """Set the projection to the principal components of the first 5000 images."""
    decomposition = require("sklearn.decomposition", extra="evaluate")
    preprocess = transform()
    pixels = torch.stack(
        [model.pool(preprocess(Image.fromarray(picture))).flatten() for picture in pictures[:5000]]
    ).numpy()
    pca = decomposition.PCA(len(model.project.weight), random_state=0).fit(pixels)
    with torch.no_grad():
        model.project.weight.copy_(torch.from_numpy(pca.components_))
        model.project.bias.copy_(torch.from_numpy(-pca.components_ @ pca.mean_))
