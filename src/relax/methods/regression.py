"""RELAX by regression: the default (:mod:`relax.estimation.regression`)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

import numpy as np
import torch

from relax.estimation.regression import Regression
from relax.estimation.strata import Perturbed, Stratum
from relax.methods.base import Masking
from relax.methods.problem import Problem
from relax.modalities.cells import UnitCells, plain_cells
from relax.modalities.units import Masks

BLOCK = 64
"""Maximum number of masks in a block."""


@dataclass(frozen=True)
class RelaxRegression(Masking):
    """Effects of the cells of a map, regressed from masks of one or several kinds, each with one or several fills.

    One kind of fixed units, such as superpixels, patches or columns, gives the effect of each unit. Masks that move, or
    of several kinds, give that of the region around each cell of a fine grid.

    Each kind of masks with each fill is a stratum; strata take turns, a block of at most 64 masks at a time.
    """

    name = "relax-regression"
    summary = "effect of each cell on the score, by Gaussian-process regression on masks of several kinds and fills"
    source = "this project, on Wickstrøm et al., IJCV 2023, and Liu et al., arXiv 2410.08336; docs/quality.md"
    takes_several = True
    observable = True
    target = 0.95
    limit = 512

    def strata(self, problem: Problem) -> Iterator[Perturbed]:
        """Every kind of masks with every fill."""
        strata = list(product(self.kinds(problem), problem.fills))
        share = problem.stopping.wanted // len(strata)
        size = min(BLOCK, max(2, share - share % 2))  # a short run has blocks of every stratum, too
        for number, (masks, fill) in enumerate(strata):
            stratum = Stratum(masks, fill, block_size=size, seed=seed_of(problem.seed, number))
            yield problem.under(stratum)

    def kinds(self, problem: Problem) -> tuple[Masks, ...]:
        return problem.kinds

    def estimator(self, problem: Problem) -> Regression:
        cells = problem.modality.cells(problem.prepared)
        units = problem.perturbed.units_on(torch.device("cpu"))
        if len(self.kinds(problem)) == 1 and all(n == 1 for n in units.placements):
            return Regression(UnitCells(units, cells))
        return Regression(cells or plain_cells(units.shape))


def seed_of(seed: int, number: int) -> int:
    """Seed of stratum ``number``, so that strata draw different masks."""
    return int(np.random.SeedSequence([seed, number]).generate_state(1)[0])
