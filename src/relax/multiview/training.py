"""How a clustering is trained: sizes that follow from the data, a warm start, the losses, the choice of a training."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from relax._support.extras import require
from relax.multiview.losses import clustering_loss, contrastive_loss
from relax.multiview.networks import MultiViewNetwork

_cluster: Any = require("sklearn.cluster", extra="methods")
_metrics: Any = require("sklearn.metrics", extra="methods")

Shapes = list[tuple[int, ...]]

STEPS = 300
"""Optimizer steps by the clustering losses, and as many before them as autoencoders."""

HEAD_STEPS = 100
"""Optimizer steps in which the head learns the clusters that k-means finds."""

ROWS = 1024
"""Objects that are encoded at a time."""

KMEANS_ROWS = 20_000
"""Objects that k-means looks at, at most."""

SIDE = 28
"""Larger pictures are made this small before the decoder paints them."""


@dataclass(frozen=True)
class Plan:
    """A training, in numbers.

    Attributes:
        sizes: of :class:`~relax.multiview.networks.MultiViewNetwork`.
        batch_size: objects in a step.
        steps: by the clustering losses.
        pretrain: as autoencoders; 0 is a random beginning.
        delta: weight of the contrastive loss; 0 leaves it out.
    """

    n_clusters: int
    sizes: dict[str, Any]
    batch_size: int
    steps: int
    pretrain: int
    learning_rate: float
    delta: float
    temperature: float


def plan(estimator: Any, shapes: Shapes, n: int) -> Plan:
    """What an estimator's parameters mean for ``n`` objects of these shapes.

    Where a parameter is ``None``: representations have 8 dimensions for each column of the widest view, 64 to 256, and
    128 where a view is a picture; a view's first layer has 16 units for each column, 64 to 512; the layer before the
    assignments has 10 units for each cluster, at least 64; a step sees 10 objects for each cluster, 64 to 512.
    """
    k = estimator.n_clusters
    wide = 8 * max(shape[0] for shape in shapes)
    dimensions = 128 if any(len(shape) > 1 for shape in shapes) else _between(64, wide, 256)
    size = min(n, _given(estimator.batch_size, _between(64, 10 * k, 512)))
    return Plan(
        n_clusters=k,
        sizes={
            "dimensions": _given(estimator.dimensions, dimensions),
            "hidden": _given(estimator.hidden, max(64, 10 * k)),
            "widths": [_between(64, 16 * shape[0], 512) if len(shape) == 1 else 256 for shape in shapes],
            "limit": estimator.limit,
        },
        batch_size=size,
        steps=_given(estimator.steps, STEPS) if estimator.epochs is None else estimator.epochs * (n // size),
        pretrain=estimator.pretrain,
        learning_rate=estimator.learning_rate,
        delta=estimator.delta if estimator.contrastive and len(shapes) > 1 else 0.0,
        temperature=estimator.temperature,
    )


def train(views: list[Tensor], plan: Plan, tick: Callable[[], object]) -> tuple[MultiViewNetwork, float]:
    """One training; the mean clustering loss of its last pass over the objects.

    Args:
        views: ``(N, *shape)`` each.
        plan: numbers.
        tick: called after each step by the clustering losses.
    """
    network = MultiViewNetwork([tuple(view.shape[1:]) for view in views], plan.n_clusters, **plan.sizes)
    network.fit_scales(views)
    if plan.pretrain:
        _pretrain(network, views, plan)
        _start_head(network, views, plan)
    optimizer = torch.optim.Adam(network.parameters(), lr=plan.learning_rate)
    losses: list[float] = []
    for rows in batches(len(views[0]), plan.batch_size, plan.steps):
        _, hidden, assignments, encoded = network([view[rows] for view in views])
        clustering = clustering_loss(assignments, hidden)
        loss = clustering
        if plan.delta:
            aligned = contrastive_loss(encoded, assignments, plan.temperature)
            loss = loss + plan.delta * network.fusion.weights.min() * aligned
        _step(optimizer, loss)
        losses.append(float(clustering.detach()))
        tick()
    return network.eval(), float(np.mean(losses[-(len(views[0]) // plan.batch_size) :]))


def apply(network: MultiViewNetwork, views: list[Tensor]) -> tuple[Tensor, Tensor]:
    """Fused representations and assignments of all objects."""
    with torch.no_grad():
        parts = [network([view[start : start + ROWS] for view in views]) for start in range(0, len(views[0]), ROWS)]
    return torch.cat([part[0] for part in parts]), torch.cat([part[2] for part in parts])


def agreements(labels: list[np.ndarray]) -> list[float]:
    """Of each clustering, the mean adjusted Rand index with the others; 1 where there is one only."""
    if len(labels) == 1:
        return [1.0]
    return [
        float(np.mean([_metrics.adjusted_rand_score(one, other) for j, other in enumerate(labels) if j != i]))
        for i, one in enumerate(labels)
    ]


def choose(labels: list[np.ndarray], losses: list[float]) -> tuple[int, float]:
    """The training that agrees most with the others, and how much; among equals, the one with the lowest loss.

    Trainings whose loss is not finite do not count; with none left it is the first, and it agrees by NaN.
    """
    finite = [i for i, loss in enumerate(losses) if math.isfinite(loss)]
    if not finite:
        return 0, math.nan
    agree = agreements([labels[i] for i in finite])
    best = max(range(len(finite)), key=lambda i: (round(agree[i], 9), -losses[finite[i]]))
    return finite[best], agree[best]


def batches(n: int, size: int, steps: int) -> Iterator[Tensor]:
    """``steps`` times the rows of ``size`` objects, in a new order each time all have been seen."""
    left = torch.empty(0, dtype=torch.long)
    for _ in range(steps):
        if len(left) < size:
            left = torch.randperm(n)
        yield left[:size]
        left = left[size:]


def _pretrain(network: MultiViewNetwork, views: list[Tensor], plan: Plan) -> None:
    """Each view's encoder as half of an autoencoder: a decoder of two layers paints the standardised view."""
    targets = [_target(scale(view[:1])).shape[1] for view, scale in zip(views, network.scales, strict=True)]
    widths, dimensions = plan.sizes["widths"], plan.sizes["dimensions"]
    decoders = nn.ModuleList(
        nn.Sequential(nn.Linear(dimensions, width), nn.BatchNorm1d(width), nn.ReLU(), nn.Linear(width, target))
        for width, target in zip(widths, targets, strict=True)
    )
    optimizer = torch.optim.Adam([*network.encoders.parameters(), *decoders.parameters()], lr=plan.learning_rate)
    for rows in batches(len(views[0]), plan.batch_size, plan.pretrain):
        errors = []
        parts = zip(views, network.scales, network.encoders, decoders, strict=True)
        for view, scale, encoder, decoder in parts:
            scaled = scale(view[rows])
            errors.append(F.mse_loss(decoder(encoder(scaled)), _target(scaled)))
        _step(optimizer, torch.stack(errors).sum())


def _start_head(network: MultiViewNetwork, views: list[Tensor], plan: Plan) -> None:
    """Teach the head the clusters that k-means finds in the views' representations side by side."""
    rows = torch.randperm(len(views[0]))[:KMEANS_ROWS]
    network.eval()
    with torch.no_grad():
        parts = torch.split(rows, ROWS)
        encoded = torch.cat([torch.cat(network.encode([view[part] for view in views]), 1) for part in parts])
    network.train()
    if not torch.isfinite(encoded).all():
        return
    seed = int(torch.randint(2**31 - 1, ()))
    found = _cluster.KMeans(plan.n_clusters, n_init=10, random_state=seed).fit_predict(encoded.numpy())
    clusters = torch.as_tensor(found, dtype=torch.long)
    optimizer = torch.optim.Adam([*network.hidden.parameters(), *network.head.parameters()], lr=plan.learning_rate)
    for part in batches(len(rows), min(plan.batch_size, len(rows)), HEAD_STEPS):
        with torch.no_grad():
            fused = network.fusion(network.encode([view[rows[part]] for view in views]))
        likely = network.head(network.hidden(fused))
        _step(optimizer, F.nll_loss(likely.clamp_min(1e-9).log(), clusters[part]))


def _step(optimizer: torch.optim.Optimizer, loss: Tensor) -> None:
    optimizer.zero_grad()
    loss.backward()  # type: ignore[no-untyped-call]
    nn.utils.clip_grad_norm_([p for group in optimizer.param_groups for p in group["params"]], 10.0)
    optimizer.step()


def _target(scaled: Tensor) -> Tensor:
    """``(N, D)``: what a decoder paints."""
    if scaled.ndim == 4 and max(scaled.shape[2:]) > SIDE:
        scaled = F.adaptive_avg_pool2d(scaled, (min(scaled.shape[2], SIDE), min(scaled.shape[3], SIDE)))
    return scaled.flatten(1)


def _between(least: int, value: int, most: int) -> int:
    return max(least, min(value, most))


def _given(value: int | None, default: int) -> int:
    return default if value is None else value
