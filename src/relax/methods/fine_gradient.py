"""RELAX with gradients: masks, refined by the derivative of the score with respect to the mask.

At a masked input ``x̃ = b + (x − b) ⊙ M``, the derivative of the score with respect to the mask is
``∂s/∂M_p = Σ_c (x_pc − b_pc) ∂s/∂x̃_pc``, and one backward pass computes it for every pixel. Its signed mean over masks
is mostly noise, but its mean magnitude separates the pixels that the score depends on from the others, at a resolution
that no grid of masks reaches. The masks locate the important region. With the effect ``a = R − E[s]`` of one 7x7 grid
and ``t = (mean |∂s/∂M|)^½``,

* the importance is ``R = E[s] + (a + λ κ t) / (1 + λ)`` with λ = 2, where κ is the ratio of the spatial standard
  deviations of a and t;
* this is computed for each fill, scaled to equal standard deviation and averaged; the first fill gets twice the masks
  and twice the weight of the other (by default blur, which is more faithful, but needs the mean colour beside it);
* the uncertainty is the variance of the score over masks; the standard error comes from independent blocks of masks.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import inf, isnan, nan

import numpy as np
import torch
from torch import Tensor

from relax._support.warning import warn
from relax.errors import ArgumentError
from relax.estimation.loop import Progress, check_sees, sees
from relax.estimation.maps import Maps
from relax.estimation.moments import Moments, correlation
from relax.estimation.strata import Perturbed, Stratum, sums_on
from relax.methods.base import Method, Problem
from relax.methods.fine import fills_of, seed_of
from relax.modalities.fills import blended
from relax.modalities.units import Block

BLOCK = 16
"""Number of masks in a block; smaller for short runs, so that each fill gets two blocks."""

SLOPE = 2.0
"""Weight λ of the derivative; the effect has weight 1."""

FIRST = 2
"""Number of blocks, and weight, of the first fill relative to any other fill."""

CHUNK = 8
"""Number of rows per backward pass."""


@dataclass(eq=False)
class Sensed:
    """Scores and gradients of one fill's masks.

    Attributes:
        perturbed: the input under the fill.
        share: weight of the fill's map, before normalisation by its scale.
        moments: accumulated sums of the scores.
        total: sum of |∂s/∂M| over masks, ``(H, W)`` float64.
        squares: sum over blocks of the squared block sums of |∂s/∂M|, ``(H, W)`` float64.
        slope: weight λ of the derivative; the effect has weight 1.
        scores: scores of the masks, one ``(B,)`` tensor per block.
    """

    perturbed: Perturbed
    share: int
    moments: Moments
    total: Tensor
    squares: Tensor
    slope: float = SLOPE
    scores: list[Tensor] = field(default_factory=list)

    def magnitude(self) -> Tensor:
        """Mean of |∂s/∂M| over masks, ``(H, W)``."""
        return self.total / self.moments.n_masks

    def ratio(self) -> float:
        """κ: spatial standard deviation of the effect over that of the root magnitude."""
        spread = float(self.magnitude().sqrt().std())
        return float(self.moments.effect().std()) / spread if spread > 0 else 0.0

    def relief(self) -> Tensor:
        """Importance minus the mean score, ``(a + λ κ t) / (1 + λ)``, ``(H, W)``."""
        return (self.moments.effect() + self.slope * self.ratio() * self.magnitude().sqrt()) / (1 + self.slope)

    def variance(self) -> Tensor:
        """Variance of the relief between blocks, without the level, ``(H, W)``; uses ``Var(√m) = Var(m) / 4m``."""
        n = self.moments.n_blocks
        if n < 2:
            return torch.full_like(self.total, nan)
        mean = self.total / n
        mean_variance = (self.squares / n - mean.square()).clamp_min(0) / (n - 1)
        root_variance = (mean_variance / (4 * mean.clamp_min(1e-30))) / (self.moments.n_masks / n)
        return (self.moments.variance(level=False) + (self.slope * self.ratio()) ** 2 * root_variance) / (
            1 + self.slope
        ) ** 2


@dataclass(frozen=True)
class RelaxGradient(Method):
    """RELAX on one grid with two fills, refined by the magnitude of the score's derivative in the mask.

    Args:
        n_samples: number of masks, each with a forward and a backward, at least 2; rounded up to whole blocks (of 16
            masks, from 96 masks on).
        slope: weight λ of the derivative, non-negative; the effect has weight 1. With 0, this is plain RELAX with two
            fills.
    """

    n_samples: int = 96
    slope: float = SLOPE

    name = "relax-gradient"
    summary = "RELAX on one grid, refined by the magnitude of the score's derivative in the mask"
    needs = "gradients"
    cost = "n_samples + 1, n_samples backwards"
    source = "this project, on Wickstrøm et al., IJCV 2023; docs/quality.md"
    takes_several = True
    modalities = ("image",)
    fills = ("blur", "mean")
    samples = "n_samples"
    sample_cost = 3.0

    def check(self) -> None:
        if self.n_samples < 2:
            raise ArgumentError(f"expected `n_samples` to be at least 2, got {self.n_samples!r}")
        if not 0.0 <= self.slope < inf:
            raise ArgumentError(f"expected `slope` to be a number of at least 0, got {self.slope!r}")

    def run(self, problem: Problem) -> Maps:
        if problem.signed:
            raise ArgumentError(
                "method 'relax-gradient' cannot tell parts that raise the score from parts that lower it, as against= "
                "requires; use method='relax-fine'"
            )
        per_fill = self.opened(problem)
        n_masks = self._sense(problem, per_fill)
        problem.session.check_finite()
        evaluated = [item for item in per_fill if item.scores]
        effective = [item for item in evaluated if sees(torch.cat(item.scores))]
        if not effective:
            check_sees(problem.session, torch.cat(evaluated[0].scores))
        if self.slope > 0 and not any(bool(item.total.any()) for item in effective):
            raise ArgumentError(
                f"the gradients of encoder {problem.encoder.name!r} are zero everywhere; use method='relax-fine', "
                "which needs forwards only"
            )
        if min(item.moments.n_blocks for item in per_fill) < 2:
            warn(
                f"{n_masks} masks are fewer than two blocks per fill: no standard error and no reliability; "
                f"use n_samples of at least {4 * (FIRST + 1)}"
            )
        return _maps(effective, problem)

    def opened(self, problem: Problem) -> list[Sensed]:
        """Empty sums for each fill."""
        size = min(BLOCK, 2 * max(self.n_samples // (4 * (FIRST + 1)), 1))
        masks = problem.perturbed.stratum.masks
        per_fill = []
        for number, fill in enumerate(fills_of(problem)):
            stratum = Stratum(masks, fill, block_size=size, seed=seed_of(problem.seed, number))
            perturbed = problem.under(stratum)
            shape, device = perturbed.units.shape, sums_on(problem.session.device)
            zeros = torch.zeros(shape, dtype=torch.float64, device=device)
            share = 1 if number else FIRST
            per_fill.append(Sensed(perturbed, share, Moments(shape, device), zeros, zeros.clone(), self.slope))
        return per_fill

    def _sense(self, problem: Problem, per_fill: list[Sensed]) -> int:
        """Evaluate blocks of each fill in turn; returns the number of masks."""
        turns = per_fill + (FIRST - 1) * per_fill[:1]  # one block for every fill, then the extra ones of the first
        n_masks = 0
        while n_masks < self.n_samples:
            for item in turns:
                if n_masks >= self.n_samples:
                    break
                block = item.perturbed.block(item.moments.n_blocks)
                scores, sums = _slopes(problem, item.perturbed, block)
                item.moments.update(item.perturbed.units_on(sums.device), block.to(sums.device), scores)
                item.scores.append(scores)
                item.total += sums
                item.squares += sums.square()
                n_masks += len(block)
                if problem.on_block is not None:
                    problem.on_block(Progress(n_masks, max(n_masks, self.n_samples), nan))
        return n_masks


def _maps(per_fill: list[Sensed], problem: Problem) -> Maps:
    """Weighted mean of the maps of all fills."""
    weights = np.array([item.share / max(float(item.relief().std()), 1e-12) for item in per_fill])
    weights /= weights.sum()
    patterns = list(zip(weights.tolist(), per_fill, strict=True))
    shares = np.array([item.share for item in per_fill], dtype=float)
    levels = list(zip((shares / shares.sum()).tolist(), per_fill, strict=True))  # no estimated weights in the level
    neutral = sum(v * item.moments.mean_score() for v, item in levels)
    importance = neutral + sum(w * item.relief() for w, item in patterns)
    mean = sum(w * item.moments.importance() for w, item in patterns)
    uncertainty = sum(
        w * (item.moments.uncertainty() + (item.moments.importance() - mean).square()) for w, item in patterns
    )
    pattern_variance = sum(w**2 * item.variance() for w, item in patterns)
    noise = float(pattern_variance.mean())
    variance = pattern_variance + sum(v**2 * item.moments.level_variance() for v, item in levels)
    return Maps(
        importance=importance.cpu().numpy(),
        uncertainty=uncertainty.cpu().numpy(),
        standard_error=variance.sqrt().cpu().numpy(),
        n_masks=sum(item.moments.n_masks for item in per_fill),
        n_blocks=sum(item.moments.n_blocks for item in per_fill),
        degrees_of_freedom=sum(item.moments.degrees_of_freedom for item in per_fill),
        reliability=nan if isnan(noise) else correlation(noise, float(importance.var())),
        signed=problem.signed,
        neutral=float(neutral),
    )


def _slopes(problem: Problem, perturbed: Perturbed, block: Block) -> tuple[Tensor, Tensor]:
    """Scores ``(B,)`` of a block's masks, and the sum of |∂s/∂M| over them, ``(H, W)``; float64."""
    block = block.to(problem.session.device)
    x, background = perturbed.prepared.tensor, perturbed.background
    difference = x - background
    device = sums_on(difference.device)
    scores, total = [], torch.zeros(difference.shape[-2:], dtype=torch.float64, device=device)
    for start in range(0, len(block), CHUNK):
        with torch.enable_grad():
            masks = perturbed.units.masks(block[start : start + CHUNK])
            rows = blended(x, background, masks).detach().requires_grad_()
            score = problem.reference.score(problem.session(rows))
            if not score.requires_grad:
                raise ArgumentError(
                    f"encoder {problem.encoder.name!r} or its reference gives no gradients; "
                    "use method='relax-fine', which needs forwards only"
                )
            (gradient,) = torch.autograd.grad(score.sum(), rows)
        scores.append(score.detach())
        total += (gradient * difference).sum(1).abs().sum(0).to(device, torch.float64)
    return torch.cat(scores).to(device, torch.float64), total
