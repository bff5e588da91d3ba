"""RELAX by regression: the default (:mod:`relax.estimation.regression`), and the same with gradients."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import product
from typing import ClassVar

import numpy as np
import torch

from relax._support.warning import warn
from relax.estimation.crossfitted import FOLDS, CrossFitted
from relax.estimation.estimators import Estimator
from relax.estimation.regression import Regression
from relax.estimation.stopping import FixedNumber, Stopping, UntilReliable
from relax.estimation.strata import Perturbed, Stratum
from relax.methods.base import Masking
from relax.methods.problem import Problem
from relax.modalities.resolution import Resolution
from relax.modalities.units import Masks

BLOCK = 64
"""Maximum number of masks in a block."""


@dataclass(frozen=True)
class RelaxRegression(Masking):
    """Effects of the cells of a map, regressed from masks of one or several kinds, each with one or several fills.

    One kind of fixed units, such as superpixels, patches or columns, gives the effect of each unit. Masks that move, or
    of several kinds, give that of the units that contain each cell of a fine grid, on average over their places.

    Each kind of masks with each fill is a stratum; strata take turns, a block of at most 64 masks at a time.
    """

    name = "relax-regression"
    summary = "effect of each cell on the score, by Gaussian-process regression on masks of several kinds and fills"
    source = "this project, on Wickstrøm et al., IJCV 2023, and Liu et al., arXiv 2410.08336; docs/quality.md"
    takes_several = True
    regresses = True
    observable = True
    target = 0.95
    limit = 512

    block: ClassVar[int] = BLOCK

    def strata(self, problem: Problem) -> Iterator[Perturbed]:
        """Every kind of masks with every fill."""
        strata = list(product(self.kinds(problem), problem.fills))
        size = self.size(problem, len(strata))
        for number, (masks, fill) in enumerate(strata):
            stratum = Stratum(masks, fill, block_size=size, seed=seed_of(problem.seed, number))
            yield problem.under(stratum)

    def size(self, problem: Problem, n_strata: int) -> int:
        """Maximum number of masks in a block; in a short run every stratum has a block, too.

        A number of masks that was asked for is rounded up to pairs of every stratum, a limit down. A run with the
        number of masks that another one used has the same blocks.
        """
        pairs = problem.stopping.wanted / (2 * n_strata)
        whole = math.floor(pairs) if isinstance(problem.stopping, UntilReliable) else math.ceil(pairs)
        return min(self.block, 2 * max(1, whole))

    def stopping(self, problem: Problem) -> Stopping:
        """After a block of every stratum, and in adaptive runs after four blocks, or as few as the modality takes."""
        stopping, n_strata = problem.stopping, self.n_strata(problem)
        if isinstance(stopping, FixedNumber):
            return replace(stopping, n_masks=max(stopping.n_masks, 2 * n_strata))
        if not isinstance(stopping, UntilReliable):
            return stopping
        if stopping.max_masks < 2 * n_strata:
            warn(f"max_masks={stopping.max_masks} is less than a pair of masks for each kind and fill: {2 * n_strata}")
        blocks = math.ceil(problem.modality.fewest_masks / min(self.block, problem.perturbed.block_size))
        fewest = max(n_strata, min(stopping.min_blocks, blocks * n_strata))
        return replace(stopping, min_blocks=fewest, max_masks=max(stopping.max_masks, 2 * n_strata))

    def n_strata(self, problem: Problem) -> int:
        """Number of kinds of masks times that of fills."""
        return len(self.kinds(problem)) * len(problem.fills)

    def kinds(self, problem: Problem) -> tuple[Masks, ...]:
        return problem.kinds

    def estimator(self, problem: Problem) -> Estimator:
        return Regression(self.cells(problem))

    def cells(self, problem: Problem) -> Resolution:
        """Cells that the scores are regressed on: fixed units themselves, or a grid."""
        units = problem.perturbed.units_on(torch.device("cpu"))
        return problem.modality.regressed(problem.prepared, units, len(self.kinds(problem)) == 1)


@dataclass(frozen=True)
class RelaxGradient(RelaxRegression):
    """The same effects, observed by gradients, too, from a fraction of the masks; needs a differentiable encoder.

    A backward pass through a masked input gives the derivative of its score in the kept share of all cells at once. The
    means of these slopes enter the regression, with a gain and a noise that the marginal likelihood finds. A mask costs
    a forward and a backward, about three forwards.
    """

    name = "relax-gradient"
    summary = "relax-regression that observes the gradient at each masked input, too: fewer masks, by backward passes"
    source = "this project: derivative observations (Rasmussen & Williams, 2006, §9.4) of relax-regression's effects"
    needs = "gradients"
    cost = "n_masks + 1, n_masks backwards"
    sample_cost = 3.0
    limit = 128
    slopes = True
    block = 12


@dataclass(frozen=True)
class RelaxCrossFitted(RelaxRegression):
    """The paper's importance without bias, from masks of any kinds and fills: moments that a regression corrects.

    Every kind of masks with every fill comes twice, with masks of its own; a regression of the first half predicts the
    scores of the second, and the other way round. With the paper's masks alone, ``relax`` is as good: its blocks of
    complements are balanced already.
    """

    name = "relax-crossfit"
    regresses = False  # but for its correction, these are moments
    summary = "E[s M] / E[M] without bias: moments corrected by a regression of other masks"
    source = "this project: Wickstrøm et al., IJCV 2023, with control variates and cross-fitting"

    def strata(self, problem: Problem) -> Iterator[Perturbed]:
        strata = list(product(self.kinds(problem), problem.fills, range(FOLDS)))
        size = self.size(problem, len(strata))
        for number, (masks, fill, _) in enumerate(strata):
            yield problem.under(Stratum(masks, fill, block_size=size, seed=seed_of(problem.seed, number)))

    def n_strata(self, problem: Problem) -> int:
        return FOLDS * super().n_strata(problem)

    def estimator(self, problem: Problem) -> CrossFitted:
        return CrossFitted(self.cells(problem))


def seed_of(seed: int, number: int) -> int:
    """Seed of stratum ``number``, so that strata draw different masks."""
    return int(np.random.SeedSequence([seed, number]).generate_state(1)[0])
