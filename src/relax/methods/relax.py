"""RELAX and U-RELAX (Wickstrøm et al., "RELAX: Representation Learning Explainability", IJCV 131, 2023)."""

from __future__ import annotations

import warnings
from dataclasses import replace

import numpy as np

from relax.errors import RelaxWarning
from relax.methods.base import Maps, Method, Problem, budget
from relax.thresholds import Threshold, threshold_of, where_certain

_SOURCE = "Wickstrøm et al., IJCV 2023, arXiv 2112.10161"


def relax(problem: Problem) -> Maps:
    """Importance ``R = E[s M] / E[M]``, uncertainty ``E[(s − R)² M] / E[M]``, standard error of R."""
    moments = _fitting(problem).moments()
    if moments.n_blocks == 1:
        warnings.warn(
            f"{moments.n_masks} masks are one block: no standard error and no reliability; "
            f"ask for at least {2 * moments.n_masks} masks",
            RelaxWarning,
            stacklevel=2,
        )
    return replace(Maps.of(moments), signed=problem.signed)


def _fitting(problem: Problem) -> Problem:
    """The problem with blocks of which an adaptive run can try as many as it needs."""
    most = problem.stopping.largest_block
    if problem.design.block_size(problem.masked.units.n_units) <= most:
        return problem
    return replace(problem, design=problem.design.sized(int(most)))


def u_relax(problem: Problem, *, threshold: Threshold = "median") -> Maps:
    """RELAX with importance 0 (a signed one: its neutral value) where the uncertainty is above a threshold.

    Args:
        problem: the input.
        threshold: ``"median"`` (the paper's), ``"mean"``, ``"quantile:Q"``, or a number.
    """
    threshold_of(np.zeros(1), threshold)  # what cannot be a threshold is said before the work is done
    maps = relax(problem)
    uncertainty = np.asarray(maps.uncertainty)
    hidden = maps.neutral if maps.signed else 0.0
    return replace(maps, importance=where_certain(maps.importance, uncertainty, threshold, hidden))


RELAX = Method(
    name="relax",
    summary="mean score of the masks that show a pixel, with its uncertainty and standard error",
    needs="forwards",
    cost="n_masks + 1",
    source=_SOURCE,
    run=relax,
    budget=budget("n_masks"),
)
U_RELAX = Method(
    name="u-relax",
    summary="RELAX importance, 0 where the uncertainty is above a threshold (median)",
    needs="forwards",
    cost="n_masks + 1",
    source=_SOURCE,
    run=u_relax,
    budget=budget("n_masks"),
)
