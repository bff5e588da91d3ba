"""RELAX with gradients: what a mask shows, and how much the score would move if a pixel of it were shown a little more.

At a masked input ``x̃ = b + (x − b) ⊙ M`` the derivative of the score in the mask is
``∂s/∂M_p = Σ_c (x_pc − b_pc) ∂s/∂x̃_pc``, and one backward pass gives it for every pixel. Averaged with its sign over
masks it is mostly noise; its mean magnitude tells the pixels that the score depends on from those that it does not, at
a resolution that no grid of masks reaches. The masks themselves say where in the picture they belong. With the effect
``a = R − E[s]`` of one grid (7x7) and ``t = (mean |∂s/∂M|)^½``,

* importance ``R = E[s] + (a + λ κ t) / (1 + λ)``, λ = 2, with κ the ratio of the two spatial standard deviations;
* both for each fill, brought to one scale and averaged; the first fill has twice the masks and twice the weight of
  another (of blur and mean colour, blur: it is the more faithful, and the mean colour is needed beside it);
* uncertainty the spread of the score over the masks, standard error from independent blocks of masks.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field
from math import inf, isnan, nan

import numpy as np
import torch
from torch import Tensor

from relax.errors import ArgumentError, RelaxWarning
from relax.estimation.loop import Progress, check_sees, sees
from relax.estimation.maps import Maps
from relax.estimation.moments import Moments, correlation
from relax.estimation.strata import Perturbed, Stratum, sums_on
from relax.methods.base import Method, Problem
from relax.methods.fine import fills_of, seed_of
from relax.modalities.fills import blended
from relax.modalities.units import Block

BLOCK = 16
"""Masks that share a placement; fewer where there are few masks, so that each fill has two blocks."""

SLOPE = 2.0
"""Weight of the derivative beside that of the effect, 1."""

FIRST = 2
"""Blocks, and weight, of the first fill for each one of another."""

CHUNK = 8
"""Rows in a backward."""


@dataclass(eq=False)
class Sensed:
    """Scores and gradients of one fill's masks.

    Attributes:
        perturbed: the input under the fill.
        share: of the map, before maps are brought to one scale.
        moments: of the scores.
        total: ``(H, W)``: sum of |∂s/∂M|.
        squares: the same squared, block by block.
        slope: weight of the derivative beside that of the effect, 1.
        scores: of the masks, block by block.
    """

    perturbed: Perturbed
    share: int
    moments: Moments
    total: Tensor
    squares: Tensor
    slope: float = SLOPE
    scores: list[Tensor] = field(default_factory=list)

    def magnitude(self) -> Tensor:
        """Mean |∂s/∂M|."""
        return self.total / self.moments.n_masks

    def ratio(self) -> float:
        """κ: from roots of magnitudes to units of the score."""
        spread = float(self.magnitude().sqrt().std())
        return float(self.moments.effect().std()) / spread if spread > 0 else 0.0

    def relief(self) -> Tensor:
        """``(H, W)``: what stands out from the mean score."""
        return (self.moments.effect() + self.slope * self.ratio() * self.magnitude().sqrt()) / (1 + self.slope)

    def variance(self) -> Tensor:
        """Of the relief, but for the level, from the spread of blocks, that of a root being ``Var(m) / 4m``."""
        n = self.moments.n_blocks
        if n < 2:
            return torch.full_like(self.total, nan)
        mean = self.total / n
        of_mean = (self.squares / n - mean.square()).clamp_min(0) / (n - 1)
        of_root = (of_mean / (4 * mean.clamp_min(1e-30))) / (self.moments.n_masks / n)
        return (self.moments.variance(level=False) + (self.slope * self.ratio()) ** 2 * of_root) / (1 + self.slope) ** 2


@dataclass(frozen=True)
class RelaxGradient(Method):
    """RELAX on one grid with two fills, and the magnitude of the score's derivative in the mask.

    Args:
        n_samples: masks, each with a forward and a backward; rounded up to whole blocks (of 16, from 96 masks on).
        slope: weight of the derivative beside that of the effect, 1; with 0 it is RELAX with these masks and fills.
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
                "method 'relax-gradient' does not tell parts that raise the score from those that lower it, which a "
                "map against a reference is about; use method='relax-fine'"
            )
        sensed = self.opened(problem)
        done = self._sense(problem, sensed)
        problem.session.check_finite()
        tried = [one for one in sensed if one.scores]
        seen = [one for one in tried if sees(torch.cat(one.scores))]
        if not seen:
            check_sees(problem.session, torch.cat(tried[0].scores))
        if self.slope > 0 and not any(bool(one.total.any()) for one in seen):
            raise ArgumentError(
                f"the gradients of encoder {problem.encoder.name!r} are zero everywhere; method='relax-fine' needs "
                "forwards only"
            )
        if min(one.moments.n_blocks for one in sensed) < 2:
            warnings.warn(
                f"{done} masks give a fill less than two blocks: no standard error and no reliability; "
                f"ask for n_samples of at least {4 * (FIRST + 1)}",
                RelaxWarning,
                stacklevel=2,
            )
        return _maps(seen, problem)

    def opened(self, problem: Problem) -> list[Sensed]:
        """The sums of each fill, empty."""
        size = min(BLOCK, 2 * max(self.n_samples // (4 * (FIRST + 1)), 1))
        masks = problem.perturbed.stratum.masks
        sensed = []
        for number, fill in enumerate(fills_of(problem)):
            stratum = Stratum(masks, fill, block_size=size, seed=seed_of(problem.seed, number))
            perturbed = problem.under(stratum)
            shape, device = perturbed.units.shape, sums_on(problem.session.device)
            zeros = torch.zeros(shape, dtype=torch.float64, device=device)
            share = 1 if number else FIRST
            sensed.append(Sensed(perturbed, share, Moments(shape, device), zeros, zeros.clone(), self.slope))
        return sensed

    def _sense(self, problem: Problem, sensed: list[Sensed]) -> int:
        """Try blocks of each fill in turn until there are enough; the masks that were tried."""
        turns = sensed + (FIRST - 1) * sensed[:1]  # every fill has its block before the first one has another
        done = 0
        while done < self.n_samples:
            for one in turns:
                if done >= self.n_samples:
                    break
                block = one.perturbed.block(one.moments.n_blocks)
                scores, sums = _slopes(problem, one.perturbed, block)
                one.moments.update(one.perturbed.units_on(sums.device), block.to(sums.device), scores)
                one.scores.append(scores)
                one.total += sums
                one.squares += sums.square()
                done += len(block)
                if problem.on_block is not None:
                    problem.on_block(Progress(done, max(done, self.n_samples), nan))
        return done


def _maps(sensed: list[Sensed], problem: Problem) -> Maps:
    weights = np.array([one.share / max(float(one.relief().std()), 1e-12) for one in sensed])
    weights /= weights.sum()
    pairs = list(zip(weights.tolist(), sensed, strict=True))
    shares = np.array([one.share for one in sensed], dtype=float)
    levels = list(zip((shares / shares.sum()).tolist(), sensed, strict=True))  # no estimated weights in the level
    neutral = sum(v * one.moments.mean_score() for v, one in levels)
    importance = neutral + sum(w * one.relief() for w, one in pairs)
    middle = sum(w * one.moments.importance() for w, one in pairs)
    spread = sum(w * (one.moments.uncertainty() + (one.moments.importance() - middle).square()) for w, one in pairs)
    pattern = sum(w**2 * one.variance() for w, one in pairs)
    noise = float(pattern.mean())
    error = pattern + sum(v**2 * one.moments.level_variance() for v, one in levels)
    return Maps(
        importance=importance.cpu().numpy(),
        uncertainty=spread.cpu().numpy(),
        standard_error=error.sqrt().cpu().numpy(),
        n_masks=sum(one.moments.n_masks for one in sensed),
        n_blocks=sum(one.moments.n_blocks for one in sensed),
        degrees_of_freedom=sum(one.moments.degrees_of_freedom for one in sensed),
        reliability=nan if isnan(noise) else correlation(noise, float(importance.var())),
        signed=problem.signed,
        neutral=float(neutral),
    )


def _slopes(problem: Problem, perturbed: Perturbed, block: Block) -> tuple[Tensor, Tensor]:
    """``(B,)`` scores of a block's masks, and ``(H, W)`` the sum over them of |∂s/∂M|; float64."""
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
                    "method='relax-fine' needs forwards only"
                )
            (gradient,) = torch.autograd.grad(score.sum(), rows)
        scores.append(score.detach())
        total += (gradient * difference).sum(1).abs().sum(0).to(device, torch.float64)
    return torch.cat(scores).to(device, torch.float64), total
