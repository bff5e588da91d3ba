"""Metrics of uncertainty and standard error maps."""

from __future__ import annotations

from math import nan

import numpy as np
from scipy.stats import spearmanr

from relax.evaluation.base import Metric
from relax.evaluation.subject import Subject

REPEATS = 5
"""Explanations with other seeds that the actual error is taken from."""


def actual_error(subject: Subject) -> np.ndarray:
    """``(H, W)``: standard deviation of the importance over explanations that differ in the seed only."""
    if subject.error is None:
        maps = [
            subject.again(subject.encoder, subject.tensor, subject.seed + 1 + k).importance.astype(np.float64)
            for k in range(REPEATS)
        ]
        subject.error = np.std(maps, axis=0, ddof=1)
    return np.asarray(subject.error)


def _correlation(subject: Subject, name: str) -> float:
    values = getattr(subject.explanation, name)
    if values is None or not np.isfinite(values).all():
        return nan
    error = actual_error(subject)
    if np.ptp(values) == 0 or np.ptp(error) == 0:
        return nan
    return float(spearmanr(values.ravel(), error.ravel()).statistic)


def uncertainty_against_error(subject: Subject) -> float:
    """Spearman's correlation over pixels of the uncertainty with the actual error."""
    return _correlation(subject, "uncertainty")


def standard_error_against_error(subject: Subject) -> float:
    """Spearman's correlation over pixels of the standard error with the actual error."""
    return _correlation(subject, "standard_error")


def mean_uncertainty(subject: Subject) -> float:
    """Over pixels; what REPEAT tells inputs of another distribution by."""
    values = subject.explanation.uncertainty
    return nan if values is None else float(np.mean(values, dtype=np.float64))


UNCERTAINTY_METRICS = (
    Metric(
        "uncertainty-error",
        "rank correlation over pixels of the uncertainty with the error over repeats, in [-1, 1]",
        "higher",
        "uncertainty",
        "this project",
        uncertainty_against_error,
    ),
    Metric(
        "standard-error-error",
        "rank correlation over pixels of the standard error with the error over repeats, in [-1, 1]",
        "higher",
        "uncertainty",
        "this project",
        standard_error_against_error,
    ),
    Metric(
        "mean-uncertainty",
        "mean of the uncertainty map; with --ood, how well it tells the two data sets apart (AUROC)",
        "neither",
        "uncertainty",
        "REPEAT (AAAI 2025)",
        mean_uncertainty,
    ),
)
