"""Evaluate explanations of representations on real data: metrics, resumable runs, confidence intervals, a report."""

from __future__ import annotations

from relax.evaluation.base import Metric
from relax.evaluation.metrics import DEFAULT, FOR_TEXTS, METRICS
from relax.evaluation.report import write_report
from relax.evaluation.runner import Evaluation, evaluate
from relax.evaluation.statistics import auroc, interval, ood_table, summary
from relax.evaluation.subject import Subject, evidence

__all__ = [
    "DEFAULT",
    "FOR_TEXTS",
    "METRICS",
    "Evaluation",
    "Metric",
    "Subject",
    "auroc",
    "evaluate",
    "evidence",
    "interval",
    "ood_table",
    "summary",
    "write_report",
]
