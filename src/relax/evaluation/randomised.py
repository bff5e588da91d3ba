"""Sanity: does the map change once the encoder's weights are destroyed? (Adebayo et al., NeurIPS 2018)

The weights of each tensor are shuffled within it, so that the network keeps the scale of its activations and can still
be explained; freshly initialised networks without labels often give constant representations or gradients of zero.
Maps are averaged over 14x14 cells before they are compared: pixels inside a cell would count one agreement often.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from math import ceil, nan
from weakref import WeakKeyDictionary

import numpy as np
import torch
from scipy.stats import entropy, spearmanr
from torch import nn

from relax._support.averaging import averaged
from relax.encoders import Encoder
from relax.errors import RelaxError
from relax.evaluation.base import Metric
from relax.evaluation.subject import Subject

STAGES = (0.25, 0.5, 0.75, 1.0)
"""Shares of the weight tensors that are shuffled, from the output back to the input."""

ADEBAYO = "Adebayo et al., NeurIPS 2018, arXiv 1810.03292"

SIDE = 14
"""Cells along each axis."""

BINS = 100
"""Bins of the histogram of a map; as in Quantus."""

ROUNDING = 1e-6
"""Largest spread of a map, relative to its values, that float32 may give to a constant one."""

_found: WeakKeyDictionary[Subject, dict[float, np.ndarray]] = WeakKeyDictionary()


def shuffled(encoder: Encoder, share: float = 1.0, seed: int = 0) -> Encoder:
    """A copy of the encoder with the weights of its last tensors in random order.

    Args:
        encoder: an encoder whose model is an ``nn.Module``; it is left as it is.
        share: which share of the tensors, counted from the output, in (0, 1].
        seed: random seed of the orders.
    """
    other = Encoder(
        copy.deepcopy(encoder.model),
        modality=encoder.modality,
        name=encoder.name,
        pool=encoder.pooling.rule,
        patch=encoder.patch,
    )
    generator = torch.Generator().manual_seed(seed)
    weights = list(other.model.parameters())[::-1]
    with torch.no_grad():
        for tensor in weights[: ceil(share * len(weights))]:
            order = torch.randperm(tensor.numel(), generator=generator)
            tensor.copy_(tensor.flatten()[order].view_as(tensor))
    return other


def cascade(subject: Subject) -> float:
    """Absolute rank correlation of the map with those of ever more shuffled networks, mean over ``STAGES``."""
    found = [_correlation(subject, share) for share in STAGES]
    return float(np.mean(found))


def at_once(subject: Subject) -> float:
    """Absolute rank correlation of the map with that of the network whose weights are all shuffled."""
    return _correlation(subject, 1.0)


def rise_of_entropy(subject: Subject) -> float:
    """By how much the histogram's entropy of the map rises when all weights are shuffled, relative to before."""
    before, after = (_entropy(_map(subject, share)) for share in (0.0, 1.0))
    return (after - before) / before if before else nan


def _correlation(subject: Subject, share: float) -> float:
    values = [_means(_map(subject, chosen)) for chosen in (0.0, share)]
    if not all(np.isfinite(one).all() and np.ptp(one) for one in values):
        return nan
    return abs(float(spearmanr(*values).statistic))


def _map(subject: Subject, share: float) -> np.ndarray:
    """Importance, ``(H, W)``, with ``share`` of the weights shuffled; NaN if none can be had."""
    known = _found.setdefault(subject, {})
    if share not in known:
        known[share] = _importance(subject, share)
    return known[share]


def _importance(subject: Subject, share: float) -> np.ndarray:
    if share == 0:
        return np.asarray(subject.explanation.importance)
    if not isinstance(subject.encoder.model, nn.Module):
        return np.full(subject.explanation.importance.shape, np.nan)
    try:
        explained = subject.again(shuffled(subject.encoder, share, subject.seed), subject.tensor, subject.seed)
    except RelaxError:  # the same settings explained the encoder itself: its shuffled copy has nothing to explain
        return np.full(subject.explanation.importance.shape, np.nan)
    return np.asarray(explained.importance)


def _means(importance: np.ndarray) -> np.ndarray:
    height, width = importance.shape
    return averaged(importance, (min(SIDE, height), min(SIDE, width))).ravel()


def _entropy(values: np.ndarray) -> float:
    """Entropy of the histogram from the least value to the largest; 0 for a map that is constant but for rounding."""
    if not np.isfinite(values).all():
        return nan
    values = values.astype(np.float64)
    if np.ptp(values) <= ROUNDING * np.abs(values).max():
        return 0.0
    counts, _ = np.histogram(values, bins=BINS)
    return float(entropy(counts))


def _metric(name: str, summary: str, better: str, run: Callable[[Subject], float], source: str = ADEBAYO) -> Metric:
    return Metric(name, summary, better, "explanations", source, run)


RANDOMISED_METRICS = (
    _metric(
        "randomisation", "absolute rank correlation with the map of the shuffled network, 0 to 1", "lower", at_once
    ),
    _metric("randomisation:cascade", "the same, mean over stages that shuffle from the output on", "lower", cascade),
    _metric(
        "randomisation:entropy",
        "relative rise of the entropy of the map's histogram when the network is shuffled",
        "higher",
        rise_of_entropy,
        "efficient MPRT: Hedström et al., arXiv 2405.02383",
    ),
)
