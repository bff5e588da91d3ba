"""Metrics from Quantus (Hedström et al., JMLR 2023) for explanations of representations.

Quantus expects a classifier. Here the model's single output is the cosine similarity to the representation of the
intact input, and its class is 0. Maps are passed as :func:`relax.evaluation.subject.evidence`.
"""

from __future__ import annotations

import contextlib
import io
import warnings
from collections.abc import Callable
from math import nan
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from relax._support.extras import require
from relax._support.seeding import seeded
from relax.encoders import Encoder
from relax.errors import RelaxError
from relax.evaluation.base import Metric
from relax.evaluation.curves import area
from relax.evaluation.subject import Subject, evidence
from relax.references.scoring import Scorer, similarity_forward

FLIPS = 28
"""Maximum number of pixel flipping steps; the largest number up to it that divides the number of pixels is used."""

RUNS = 50
"""Number of random pixel subsets for the faithfulness correlation."""

TOP = 0.02
"""Share of the pixels that counts as the strongest in the top-k intersection."""

NOISY = 5
"""Number of noisy inputs for the sensitivities; Quantus' default of 200 explanations per input is too expensive."""

QUIET = {"disable_warnings": True, "display_progressbar": False}
"""Arguments that silence a Quantus metric."""


class OneClass(nn.Module):
    """Presents a scorer as a classifier with one class, ``(N, C, H, W) -> (N, 1)``.

    Args:
        scorer: computes the score of each input.
    """

    def __init__(self, scorer: Scorer) -> None:
        super().__init__()
        self.scorer = scorer

    def forward(self, inputs: Tensor) -> Tensor:
        """Scores of the inputs, as logits of the one class."""
        scores: Tensor = self.scorer(inputs)
        return scores[:, None]


def call(metric: Any, subject: Subject, model: Any = None, values: np.ndarray | None = None, **more: Any) -> np.ndarray:
    """Apply a Quantus metric to one subject.

    Args:
        metric: a metric instance from ``quantus.metrics``.
        subject: the explanation.
        model: the model, for metrics that need one.
        values: ``(H, W)`` map to use instead of the evidence.
        more: further arguments of the metric's call, such as ``explain_func``.

    Returns:
        The metric's values; NaN for a constant map, which has no order and no mass.
    """
    if not np.ptp(evidence(subject.explanation)) > 0:
        return np.full(1, nan)
    values = evidence(subject.explanation) if values is None else values
    x = subject.tensor.numpy()[None]
    mask = None if subject.mask is None else subject.mask[None, None]
    with (
        seeded(subject.seed, subject.encoder.device),
        warnings.catch_warnings(),
        contextlib.redirect_stdout(io.StringIO()),
    ):
        warnings.simplefilter("ignore")
        result = metric(
            model=model,
            x_batch=x,
            y_batch=np.zeros(1, dtype=int),
            a_batch=values[None, None],
            s_batch=mask,
            channel_first=True,
            device=str(subject.encoder.device),
            **more,
        )
    return np.asarray(result, dtype=np.float64)


def _quantus() -> Any:
    """Import Quantus without its output."""
    with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return require("quantus", extra="evaluate")


def _of_map(name: str, **options: Any) -> Callable[[Subject], float]:
    """A Quantus metric of the map alone."""

    def run(subject: Subject) -> float:
        return float(call(getattr(_quantus(), name)(**QUIET, **options), subject).item())

    return run


def _of_mask(name: str, by_rank: bool = False) -> Callable[[Subject], float]:
    """A Quantus metric of the map and the mask; NaN if the mask is empty at the encoder's input resolution.

    Args:
        name: class name in Quantus.
        by_rank: pass the ranks of the pixels instead of their values. Ties are broken at random, so that a map with
            many pixels at its maximum does not win because one of them is on the object.
    """

    def run(subject: Subject) -> float:
        if subject.mask is None or not subject.mask.any():
            return nan
        return float(
            call(getattr(_quantus(), name)(**QUIET), subject, values=_order(subject) if by_rank else None).item()
        )

    return run


def _order(subject: Subject) -> np.ndarray:
    """Share of the pixels ranked at or below each pixel, ``(H, W)``."""
    ranking = subject.ranking()
    order = np.empty(len(ranking))
    order[ranking] = np.arange(len(ranking), 0, -1) / len(ranking)
    return order.reshape(subject.explanation.importance.shape)


def top_k_intersection(subject: Subject) -> float:
    """Share of the strongest pixels on the object, with k relative to the picture; 1000 at 224x224, as in Quantus."""
    k = max(1, round(TOP * np.prod(subject.tensor.shape[-2:])))
    if subject.mask is None or not subject.mask.any():
        return nan
    return float(call(_quantus().TopKIntersection(k=k, **QUIET), subject, values=_order(subject)).item())


def pixel_flipping(subject: Subject) -> float:
    """Area under the similarity while pixels are set to the mean colour, the most important first."""
    n_pixels = int(np.prod(subject.tensor.shape[-2:]))
    steps = next(n for n in range(FLIPS, 0, -1) if n_pixels % n == 0)
    metric = _quantus().PixelFlipping(features_in_step=n_pixels // steps, perturb_baseline=0.0, **QUIET)
    # the only output is the similarity itself; a softmax over one class would make it 1
    return area(np.ravel(call(metric, subject, _model(subject), softmax=False)))


def faithfulness_correlation(subject: Subject) -> float:
    """Pearson's correlation between random subsets' mass and the drop in similarity when they get the mean colour."""
    n_pixels = int(np.prod(subject.tensor.shape[-2:]))
    metric = _quantus().FaithfulnessCorrelation(
        nr_runs=RUNS, subset_size=n_pixels // 5, perturb_baseline=0.0, return_aggregate=False, **QUIET
    )
    return float(call(metric, subject, _model(subject), softmax=False).item())


def _sensitivity(name: str) -> Callable[[Subject], float]:
    """A Quantus metric of how much the map changes under noise in the input."""

    def run(subject: Subject) -> float:
        metric = getattr(_quantus(), name)(nr_samples=NOISY, **QUIET)
        return float(call(metric, subject, _model(subject), explain_func=_explain_func(subject)).item())

    return run


def parameter_randomisation(subject: Subject) -> float:
    """Absolute Spearman correlation with the map of the same network with all layers randomised.

    NaN for an encoder that is not an ``nn.Module``, or if the randomised network cannot be explained.
    """
    if not isinstance(subject.encoder.model, nn.Module):
        return nan
    metric = _quantus().MPRT(skip_layers=True, return_last_correlation=True, **QUIET)
    try:
        return abs(float(call(metric, subject, subject.encoder.model, explain_func=_explain_func(subject)).item()))
    except RelaxError:  # the same settings explained the network itself
        return nan


def _model(subject: Subject) -> nn.Module:
    """The similarity to the intact input as a one-class classifier."""
    return OneClass(similarity_forward(subject.encoder, subject.tensor, "cosine")).eval()


def _explain_func(subject: Subject) -> Callable[..., np.ndarray]:
    """A Quantus ``explain_func`` with the subject's method, settings and seed."""
    original = subject.encoder

    def explain(model: Any, inputs: np.ndarray, targets: Any, **_: Any) -> np.ndarray:
        encoder = original
        if isinstance(model, nn.Module) and not isinstance(model, OneClass):
            encoder = Encoder(
                model,
                modality=original.modality,
                name=original.name,
                pool=original.pooling.rule,
                patch=original.patch,
            )
        tensors = torch.as_tensor(np.asarray(inputs), dtype=torch.float32)
        return np.stack([evidence(subject.again(encoder, x, subject.seed)) for x in tensors])[:, None]

    return explain


def _metric(name: str, summary: str, better: str, needs: str, run: Callable[[Subject], float]) -> Metric:
    """A metric with Quantus as its source."""
    return Metric(name, summary, better, needs, "Quantus", run)


QUANTUS_METRICS = (
    _metric(
        "pointing-game",
        "whether the strongest pixel is on the object, 0 or 1",
        "higher",
        "mask",
        _of_mask("PointingGame", by_rank=True),
    ),
    _metric(
        "top-k",
        f"share of the strongest {TOP:.0%} of the pixels that is on the object, in [0, 1]",
        "higher",
        "mask",
        top_k_intersection,
    ),
    _metric(
        "relevance-rank",
        "relevance rank accuracy: share of the object's number of strongest pixels on the object, in [0, 1]",
        "higher",
        "mask",
        _of_mask("RelevanceRankAccuracy", by_rank=True),
    ),
    _metric(
        "relevance-mass",
        "share of the map's mass on the object, in [0, 1]",
        "higher",
        "mask",
        _of_mask("RelevanceMassAccuracy"),
    ),
    _metric(
        "auc", "AUROC of the map as a detector of the object's pixels, in [0, 1]", "higher", "mask", _of_mask("AUC")
    ),
    _metric(
        "complexity",
        "entropy of the map's mass over pixels, in nats",
        "lower",
        "map",
        _of_map("Complexity", normalise=False),
    ),
    _metric(
        "sparseness", "Gini index of the map's mass over pixels, in [0, 1]", "higher", "map", _of_map("Sparseness")
    ),
    _metric(
        "faithfulness-correlation",
        "correlation between a random fifth's mass and the drop in similarity without it, in [-1, 1]",
        "higher",
        "forwards",
        faithfulness_correlation,
    ),
    _metric(
        "pixel-flipping",
        "area under the similarity while pixels are set to the mean colour, the most important first",
        "lower",
        "forwards",
        pixel_flipping,
    ),
    _metric(
        "max-sensitivity",
        f"largest relative change of the map over {NOISY} noisy inputs",
        "lower",
        "explanations",
        _sensitivity("MaxSensitivity"),
    ),
    _metric(
        "avg-sensitivity",
        f"mean relative change of the map over {NOISY} noisy inputs",
        "lower",
        "explanations",
        _sensitivity("AvgSensitivity"),
    ),
    _metric(
        "parameter-randomisation",
        "absolute rank correlation with the map of the network with random weights, in [0, 1]",
        "lower",
        "explanations",
        parameter_randomisation,
    ),
)
