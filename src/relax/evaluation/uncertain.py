"""Metrics for uncertainty and standard error maps."""

from __future__ import annotations

from math import nan

import numpy as np
from scipy.stats import spearmanr

from relax.evaluation.base import Metric
from relax.evaluation.subject import Subject

REPEATS = 5
"""Number of explanations with different seeds from which the actual error is estimated."""


def actual_error(subject: Subject) -> np.ndarray:
    """Standard deviation of the importance over explanations that differ only in the seed, ``(H, W)``."""
    if subject.error is None:
        maps = [
            subject.again(subject.encoder, subject.tensor, subject.seed + 1 + k).importance.astype(np.float64)
            for k in range(REPEATS)
        ]
        subject.error = np.std(maps, axis=0, ddof=1)
    return np.asarray(subject.error)


def _correlation(subject: Subject, name: str) -> float:
    """Spearman's correlation over pixels of a map with the actual error; NaN if either is constant."""
    values = getattr(subject.explanation, name)
    if values is None or not np.isfinite(values).all():
        return nan
    error = actual_error(subject)
    if np.ptp(values) == 0 or np.ptp(error) == 0:
        return nan
    return float(spearmanr(values.ravel(), error.ravel()).statistic)


def uncertainty_against_error(subject: Subject) -> float:
    """Spearman's correlation over pixels between the uncertainty and the actual error, in [-1, 1]."""
    return _correlation(subject, "uncertainty")


def standard_error_against_error(subject: Subject) -> float:
    """Spearman's correlation over pixels between the standard error and the actual error, in [-1, 1]."""
    return _correlation(subject, "standard_error")


def mean_uncertainty(subject: Subject) -> float:
    """Mean uncertainty over pixels, by which REPEAT detects out-of-distribution inputs; NaN without an uncertainty."""
    values = subject.explanation.uncertainty
    return nan if values is None else float(np.mean(values, dtype=np.float64))


UNCERTAINTY_METRICS = (
    Metric(
        "uncertainty-error",
        "rank correlation over pixels between the uncertainty and the error over repeats, in [-1, 1]",
        "higher",
        "uncertainty",
        "this project",
        uncertainty_against_error,
    ),
    Metric(
        "standard-error-error",
        "rank correlation over pixels between the standard error and the error over repeats, in [-1, 1]",
        "higher",
        "uncertainty",
        "this project",
        standard_error_against_error,
    ),
    Metric(
        "mean-uncertainty",
        "mean of the uncertainty map; with --ood, how well it distinguishes the two data sets (AUROC)",
        "neither",
        "uncertainty",
        "REPEAT (AAAI 2025)",
        mean_uncertainty,
    ),
)
