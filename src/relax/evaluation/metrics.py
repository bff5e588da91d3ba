"""Metrics by name: ``relax list metrics``."""

from __future__ import annotations

from relax._support.registry import Registry
from relax.evaluation.base import Metric
from relax.evaluation.curves import CURVE_METRICS
from relax.evaluation.from_quantus import QUANTUS_METRICS
from relax.evaluation.randomised import RANDOMISED_METRICS
from relax.evaluation.regions import REGION_METRICS
from relax.evaluation.texts import TEXT_METRICS
from relax.evaluation.uncertain import UNCERTAINTY_METRICS

METRICS: Registry[Metric] = Registry("metric", group="relax.metric")
for _metric in (
    *CURVE_METRICS,
    *REGION_METRICS,
    *RANDOMISED_METRICS,
    *QUANTUS_METRICS,
    *UNCERTAINTY_METRICS,
    *TEXT_METRICS,
):
    METRICS.add(_metric.name, _metric)

DEFAULT = (
    *("insertion-deletion", "insertion", "deletion", "insertion-deletion:mean"),
    *("pointing-game", "top-k", "relevance-rank", "relevance-mass", "auc", "complexity", "sparseness"),
)
"""Default metrics of ``relax evaluate`` for pictures: those that need no further explanations."""

FOR_TEXTS = tuple(metric.name for metric in TEXT_METRICS)
"""Default metrics for texts."""
