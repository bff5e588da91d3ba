"""Metrics of Quantus (Hedström et al., JMLR 2023) for explanations of representations.

Quantus speaks of models with classes. Here the model's one output is the cosine similarity to the representation of
the intact input, and its class is 0. Maps go in as :func:`relax.evaluation.subject.evidence`.
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
from relax.errors import EncoderError, InputError
from relax.evaluation.base import Metric
from relax.evaluation.curves import area
from relax.evaluation.subject import Subject, evidence
from relax.references.scoring import Scorer, similarity_forward

FLIPS = 28
"""Steps of pixel flipping, or the nearest number below it that divides the pixels."""

RUNS = 50
"""Random subsets of pixels for the faithfulness correlation."""

TOP = 0.02
"""Share of the pixels that are the strongest for the top-k intersection."""

NOISY = 5
"""Noisy inputs for the sensitivities; Quantus' default of 200 explanations an input is out of reach."""

QUIET = {"disable_warnings": True, "display_progressbar": False}


class OneClass(nn.Module):
    """``(N, C, H, W) -> (N, 1)``: the score as the output of a classifier with one class."""

    def __init__(self, scorer: Scorer) -> None:
        super().__init__()
        self.scorer = scorer

    def forward(self, inputs: Tensor) -> Tensor:
        scores: Tensor = self.scorer(inputs)
        return scores[:, None]


def call(metric: Any, subject: Subject, model: Any = None, values: np.ndarray | None = None, **more: Any) -> np.ndarray:
    """What one metric of Quantus gives for one subject; NaN for a constant map, which has no order and no mass.

    Args:
        metric: an instance of a class of ``quantus.metrics``.
        subject: the explanation.
        model: what Quantus may question.
        values: instead of the map's evidence.
        more: for the metric's call, such as ``explain_func``.
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
    with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return require("quantus", extra="evaluate")


def _of_map(name: str, **options: Any) -> Callable[[Subject], float]:
    """A metric that looks at the map."""

    def run(subject: Subject) -> float:
        return float(call(getattr(_quantus(), name)(**QUIET, **options), subject).item())

    return run


def _of_mask(name: str, by_rank: bool = False) -> Callable[[Subject], float]:
    """A metric that looks at the map and at the mask; NaN for a mask that is empty at the encoder's resolution.

    Args:
        name: of Quantus' class.
        by_rank: only the order of the pixels counts; equal ones come in a random order, so that a map with many pixels
            at its maximum does not win by the one that is on the object.
    """

    def run(subject: Subject) -> float:
        if subject.mask is None or not subject.mask.any():
            return nan
        return float(
            call(getattr(_quantus(), name)(**QUIET), subject, values=_order(subject) if by_rank else None).item()
        )

    return run


def _order(subject: Subject) -> np.ndarray:
    """``(H, W)``: the share of pixels that come after each in the ranking."""
    ranking = subject.ranking()
    order = np.empty(len(ranking))
    order[ranking] = np.arange(len(ranking), 0, -1) / len(ranking)
    return order.reshape(subject.explanation.importance.shape)


def top_k_intersection(subject: Subject) -> float:
    """With k a share of the pixels, so that pictures of any size compare; Quantus' 1000 at 224x224."""
    k = max(1, round(TOP * np.prod(subject.tensor.shape[-2:])))
    if subject.mask is None or not subject.mask.any():
        return nan
    return float(call(_quantus().TopKIntersection(k=k, **QUIET), subject, values=_order(subject)).item())


def pixel_flipping(subject: Subject) -> float:
    """Area under the score while pixels are set to the mean colour, the most important first."""
    n_pixels = int(np.prod(subject.tensor.shape[-2:]))
    steps = next(n for n in range(FLIPS, 0, -1) if n_pixels % n == 0)
    metric = _quantus().PixelFlipping(features_in_step=n_pixels // steps, perturb_baseline=0.0, **QUIET)
    # the one class is the similarity itself: a softmax would make it 1
    return area(np.ravel(call(metric, subject, _model(subject), softmax=False)))


def faithfulness_correlation(subject: Subject) -> float:
    """Pearson's correlation of a random subset's mass with the fall of the score when it is set to the mean colour."""
    n_pixels = int(np.prod(subject.tensor.shape[-2:]))
    metric = _quantus().FaithfulnessCorrelation(
        nr_runs=RUNS, subset_size=n_pixels // 5, perturb_baseline=0.0, return_aggregate=False, **QUIET
    )
    return float(call(metric, subject, _model(subject), softmax=False).item())


def _sensitivity(name: str) -> Callable[[Subject], float]:
    def run(subject: Subject) -> float:
        metric = getattr(_quantus(), name)(nr_samples=NOISY, **QUIET)
        return float(call(metric, subject, _model(subject), explain_func=_explain_func(subject)).item())

    return run


def parameter_randomisation(subject: Subject) -> float:
    """Absolute Spearman correlation with the map of the same network after all its layers were drawn anew."""
    if not isinstance(subject.encoder.model, nn.Module):
        return nan
    metric = _quantus().MPRT(skip_layers=True, return_last_correlation=True, **QUIET)
    try:
        return abs(float(call(metric, subject, subject.encoder.model, explain_func=_explain_func(subject)).item()))
    except (EncoderError, InputError):
        return nan  # a random network whose representation is constant, or not finite, has no map


def _model(subject: Subject) -> nn.Module:
    return OneClass(similarity_forward(subject.encoder, subject.tensor, "cosine")).eval()


def _explain_func(subject: Subject) -> Callable[..., np.ndarray]:
    """Explains what Quantus hands over as ``again`` would: the same method, settings and seed."""
    own = subject.encoder

    def explain(model: Any, inputs: np.ndarray, targets: Any, **_: Any) -> np.ndarray:
        encoder = own
        if isinstance(model, nn.Module) and not isinstance(model, OneClass):
            encoder = Encoder(model, modality=own.modality, name=own.name, pool=own.pooling.rule, patch=own.patch)
        tensors = torch.as_tensor(np.asarray(inputs), dtype=torch.float32)
        return np.stack([evidence(subject.again(encoder, x, subject.seed)) for x in tensors])[:, None]

    return explain


def _metric(name: str, summary: str, better: str, needs: str, run: Callable[[Subject], float]) -> Metric:
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
        "correlation of a random fifth's mass with the fall of the score without it, in [-1, 1]",
        "higher",
        "forwards",
        faithfulness_correlation,
    ),
    _metric(
        "pixel-flipping",
        "area under the score while pixels turn to the mean colour, the most important first",
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
