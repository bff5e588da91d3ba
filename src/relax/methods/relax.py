"""RELAX and U-RELAX (Wickstrøm et al., "RELAX: Representation Learning Explainability", IJCV 131, 2023)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from relax._support.thresholds import Threshold, threshold_of, where_certain
from relax._support.warning import warn
from relax.estimation.estimators import Ratio
from relax.estimation.maps import Maps
from relax.estimation.strata import Perturbed
from relax.methods.base import Masking
from relax.methods.problem import Problem

SOURCE = "Wickstrøm et al., IJCV 2023, arXiv 2112.10161"


def affordable_blocks(problem: Problem) -> Perturbed:
    """The problem's stratum, with blocks small enough for an adaptive run to judge by.

    Args:
        problem: the input, and everything needed to explain it.
    """
    perturbed = problem.perturbed
    most = problem.stopping.largest_block
    if perturbed.block_size <= most:
        return perturbed
    stratum = replace(perturbed.stratum, block_size=int(most))
    return Perturbed(perturbed.prepared, stratum, perturbed.design, perturbed.fill, laid=perturbed.units)


@dataclass(frozen=True)
class Relax(Masking):
    """Importance ``R = E[s M] / E[M]``, uncertainty ``E[(s − R)² M] / E[M]``, standard error of R."""

    name = "relax"
    summary = "mean score of the masks that keep a pixel, with its uncertainty and standard error"
    source = SOURCE
    observable = True

    def strata(self, problem: Problem) -> Iterator[Perturbed]:
        yield affordable_blocks(problem)

    def estimator(self, problem: Problem) -> Ratio:
        return Ratio()

    def run(self, problem: Problem) -> Maps:
        maps = super().run(problem)
        if maps.n_blocks == 1 and maps.reliability != 1:  # 1: all masks were tried
            warn(
                f"{maps.n_masks} masks are one block: no standard error and no reliability; "
                f"use at least {2 * maps.n_masks} masks"
            )
        return maps


@dataclass(frozen=True)
class URelax(Relax):
    """RELAX with importance 0 (or neutral, if signed) where the uncertainty exceeds a threshold.

    Args:
        threshold: ``"median"`` (as in the paper), ``"mean"``, ``"quantile:Q"`` with Q in [0, 1], or a number in squared
            units of the score.
    """

    threshold: Threshold = "median"

    name = "u-relax"
    summary = "RELAX importance, 0 where the uncertainty exceeds a threshold (median)"

    def check(self) -> None:
        threshold_of(np.zeros(1), self.threshold)

    def finished(self, maps: Maps) -> Maps:
        uncertainty = np.asarray(maps.uncertainty)
        masked_value = maps.neutral if maps.signed else 0.0
        return replace(maps, importance=where_certain(maps.importance, uncertainty, self.threshold, masked_value))
