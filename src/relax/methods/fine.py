"""Fine RELAX: RELAX with masks of several sizes and shapes, two fills, and the contrast to the fill.

A RELAX map measures how much more similar to the unmasked input the masked inputs are if they keep a pixel. A single
grid resolves this at the size of its cells, for one fill. Fine RELAX estimates several strata, each with one kind of
masks and one fill, and mixes their maps (:mod:`relax.estimation.mixture`; ``make quality`` shows the effect of each
step). A run with fewer masks than a round (1280 for a photograph) evaluates only the first strata, coarse to fine.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from relax.errors import ArgumentError
from relax.estimation.mixture import Mixture
from relax.estimation.strata import Perturbed, Stratum
from relax.methods.base import Masking, Problem
from relax.modalities import Scale
from relax.modalities.fills import Fill
from relax.modalities.units import Masks


@dataclass(frozen=True)
class RelaxFine(Masking):
    """Mean score of the masks that keep a pixel, over grids and superpixels of several sizes and two fills.

    Args:
        contrast: exponent of the contrast between a pixel and its fill, in [0, 2]; 0 disables it.
    """

    contrast: float = 0.5

    name = "relax-fine"
    summary = "RELAX over grids and superpixels of several sizes and two fills, with the contrast to the fill"
    source = "this project, on Wickstrøm et al., IJCV 2023; docs/quality.md"
    takes_several = True
    modalities = ("image",)
    fills = ("blur", "mean")
    blocks_a_turn = 2

    def check(self) -> None:
        if not 0.0 <= self.contrast <= 2.0:
            raise ArgumentError(f"expected `contrast` from 0 to 2, got {self.contrast!r}")

    def strata(self, problem: Problem) -> Iterator[Perturbed]:
        """Strata from coarse to fine, each with every fill; skips masks that do not fit the input."""
        scales = scales_of(problem)
        number = 0
        for scale in scales:
            try:
                units = scale.masks.over(problem.prepared)
            except ArgumentError:
                if len(scales) == 1:
                    raise
                continue  # a picture with a single segment still has grids
            for fill in fills_of(problem):
                stratum = Stratum(scale.masks, fill, scale.weight, scale.block_size, seed_of(problem.seed, number))
                number += 1
                yield replace(problem.under(stratum), laid=units)

    def kinds(self, problem: Problem) -> tuple[Masks, ...]:
        return tuple(scale.masks for scale in scales_of(problem))

    def estimator(self, problem: Problem) -> Mixture:
        return Mixture(problem.modality, self.contrast)


def scales_of(problem: Problem) -> tuple[Scale, ...]:
    """Scales of the requested masks, or the modality's own."""
    return problem.modality.scales(problem.prepared, problem.masks)


def seed_of(seed: int, number: int) -> int:
    """Seed of stratum ``number``, so that strata draw different masks."""
    return int(np.random.SeedSequence([seed, number]).generate_state(1)[0])


def fills_of(problem: Problem) -> list[Fill]:
    """Fills that differ from the input; the first fill if none does."""
    x = problem.prepared.tensor
    masks = problem.perturbed.stratum.masks
    different = [
        fill
        for fill in problem.fills
        if bool((x != problem.under(Stratum(masks, fill, seed=problem.seed)).background).any())
    ]
    return different or list(problem.fills[:1])
