"""Fine RELAX: masks of several sizes and shapes, two fills, and the contrast that removing a pixel makes.

A RELAX map says how much more similar to the whole the masked versions are that show a pixel. One grid gives that at
the size of its cells, for one fill. Here the same estimate is made for several *parts*, a part being one kind of masks
with one fill, and brought together (``make quality`` has what each of the steps gives):

* ``a_k = R_k − E[s_k]``: what part k finds above the mean score, the *effect* of showing a pixel;
* ``w_k``: one over the spatial standard deviation of ``a_k``, so that large cells, which move the score by more, do not
  drown the small ones; the ``w_k`` sum to one;
* ``g_k = (|x − b_k| / mean |x − b_k|)^½``: masks cannot tell the pixels of a cell apart, but one that equals its fill
  cannot matter, and one that differs much is removed more;
* importance ``R = Σ w_k (E[s_k] + g_k a_k)``, uncertainty the spread of the score over the masks of all parts, in the
  proportions w, standard error ``√(Σ (w_k g_k SE_k)²)``.

With one part and without contrast it is RELAX.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from math import nan, sqrt

import numpy as np
import torch
from torch import Tensor

from relax.errors import ArgumentError
from relax.loop import Masked, Progress, sums_on
from relax.masks import GridMasks, Masks, SuperpixelMasks
from relax.methods.base import Maps, Method, Problem, budget
from relax.moments import Moments
from relax.stopping import FixedNumber

SIZES: dict[Masks, int] = {
    GridMasks(7): 64,
    GridMasks(14): 128,
    SuperpixelMasks(n_segments=60): 64,
    SuperpixelMasks(n_segments=120): 64,
    SuperpixelMasks(n_segments=250): 64,
    GridMasks(28): 256,
}
"""The kinds of masks, from coarse to fine, and the masks of each in a block."""

LARGEST_BLOCK = 256
"""Masks in a block of a kind that is not among them."""

FILLS = ("blur", "mean")

LEAST_CELL = 4
"""Pixels of the side of a cell, below which a kind of masks is left out."""

CONTRAST = 0.5
"""Exponent of the contrast."""


@dataclass(eq=False)
class Part:
    """One kind of masks with one fill.

    Attributes:
        masked: the input.
        seed: of its masks.
        share: of the map, before the effects are brought to one scale.
        size: masks in a block.
        moments: of the masks that were tried.
    """

    masked: Masked
    seed: int
    share: float
    size: int
    moments: Moments

    def effect(self) -> Tensor:
        """``(H, W)``: importance above the mean score."""
        return self.moments.importance() - self.moments.mean_score()

    def contrast(self, exponent: float) -> Tensor:
        """``(H, W)``, mean of the bare contrast 1: how much removing a pixel changes it."""
        return contrast(self.masked) ** exponent if exponent else torch.ones_like(self.effect())


@dataclass(eq=False)
class Parts:
    """What the masks of all parts say together; what :class:`relax.stopping.Stopping` asks for is here too."""

    parts: list[Part]
    exponent: float

    @property
    def tried(self) -> list[Part]:
        return [part for part in self.parts if part.moments.n_blocks]

    @property
    def n_masks(self) -> int:
        return sum(part.moments.n_masks for part in self.parts)

    @property
    def n_blocks(self) -> int:
        return sum(part.moments.n_blocks for part in self.parts)

    def weights(self) -> list[float]:
        """Of the parts that were tried, summing to one."""
        raw = [part.share / max(float(part.effect().std()), 1e-12) for part in self.tried]
        return [value / sum(raw) for value in raw]

    def neutral(self) -> float:
        return sum(w * part.moments.mean_score() for w, part in zip(self.weights(), self.tried, strict=True))

    def importance(self) -> Tensor:
        terms = [
            w * (part.moments.mean_score() + part.contrast(self.exponent) * part.effect())
            for w, part in zip(self.weights(), self.tried, strict=True)
        ]
        return torch.stack(terms).sum(0)

    def uncertainty(self) -> Tensor:
        weights = self.weights()
        seen = [part.moments.importance() for part in self.tried]
        middle = torch.stack([w * r for w, r in zip(weights, seen, strict=True)]).sum(0)
        spreads = [
            w * (part.moments.uncertainty() + (r - middle).square())
            for w, part, r in zip(weights, self.tried, seen, strict=True)
        ]
        return torch.stack(spreads).sum(0)

    def variance(self, levels: bool = True) -> Tensor:
        """``(H, W)``: squared standard error; NaN while a part has less than two blocks.

        Args:
            levels: with the error that all pixels share.
        """
        terms = []
        for w, part in zip(self.weights(), self.tried, strict=True):
            error = part.moments.standard_error().square()
            if not levels:
                error = (error - part.moments.level_error() ** 2).clamp_min(0)
            terms.append((w * part.contrast(self.exponent)).square() * error)
        return torch.stack(terms).sum(0)

    def reliability(self) -> float:
        """Estimated correlation with the converged map; NaN until every part has two blocks."""
        if any(part.moments.n_blocks < 2 for part in self.parts):
            return nan
        noise, signal = float(self.variance(levels=False).mean()), float(self.importance().var())
        return sqrt(min(max(1 - noise / signal, 0.0), 1.0)) if signal > 0 else 0.0


def relax_fine(problem: Problem, *, contrast: float = CONTRAST) -> Maps:
    """Mean score of the masks that show a pixel, over grids and superpixels of several sizes and two fills.

    Args:
        problem: the input.
        contrast: exponent of the contrast between a pixel and its fill; 0 leaves it out.
    """
    if not 0.0 <= contrast <= 2.0:
        raise ArgumentError(f"expected `contrast` from 0 to 2, got {contrast!r}")
    parts = Parts(parts_of(problem), contrast)
    cycle = sum(part.size for part in parts.parts)
    limit = getattr(problem.stopping, "max_masks", None)
    for part in _in_turn(parts.parts):
        alone = replace(
            problem,
            masked=part.masked,
            design=problem.design.sized(part.size),
            seed=part.seed,
            stopping=FixedNumber(part.moments.n_masks + 1),
            on_block=None,
        )
        alone.moments(part.moments)
        reliability = parts.reliability() if part is parts.parts[-1] else nan
        if problem.on_block is not None:
            expected = problem.stopping.expected(parts, reliability)
            problem.on_block(Progress(parts.n_masks, max(expected, parts.n_masks), reliability))
        if part is parts.parts[-1] and limit is not None and parts.n_masks + cycle > limit:
            break
        if problem.stopping.done(parts):
            break
    return Maps(
        importance=parts.importance().cpu().numpy(),
        uncertainty=parts.uncertainty().cpu().numpy(),
        standard_error=parts.variance().sqrt().cpu().numpy(),
        n_masks=parts.n_masks,
        n_blocks=parts.n_blocks,
        degrees_of_freedom=sum(part.moments.degrees_of_freedom for part in parts.tried),
        reliability=parts.reliability(),
        signed=problem.signed,
        neutral=parts.neutral(),
    )


def parts_of(problem: Problem) -> list[Part]:
    """A part for each kind of masks and fill, coarse to fine; fills that equal the input are left out."""
    made = []
    n_superpixels = sum(isinstance(masks, SuperpixelMasks) for masks in problem.kinds)
    for masks in problem.kinds:
        share = 1 / n_superpixels if isinstance(masks, SuperpixelMasks) else 1.0
        for masked in fills_of(problem):
            one = replace(masked, masks=masks)
            size = problem.design.sized(SIZES.get(masks, LARGEST_BLOCK)).block_size(one.units.n_units)
            seed = int(np.random.SeedSequence([problem.seed, len(made)]).generate_state(1)[0])
            moments = Moments(one.units.shape, sums_on(one.tensor.device), problem.design.group)
            made.append(Part(one, seed, share, size, moments))
    return made


def fills_of(problem: Problem) -> list[Masked]:
    """The input with each of the fills, but for those that it equals (unless it equals all)."""
    filled = [masked for masked in problem.filled if bool((masked.tensor != masked.background).any())]
    return filled or list(problem.filled[:1])


def kinds_for(tensor: Tensor) -> tuple[Masks, ...]:
    """Those of ``SIZES`` whose units are large enough in an input, and which it has."""
    height, width = tensor.shape[-2:]
    kept: list[Masks] = []
    for masks in SIZES:
        if isinstance(masks, GridMasks):
            fits = min(height, width) >= LEAST_CELL * int(masks.cells)  # type: ignore[call-overload]
        else:
            fits = height * width >= LEAST_CELL**2 * 4 * masks.n_segments and _has_segments(masks, tensor)  # type: ignore[attr-defined]
        if fits:
            kept.append(masks)
    return tuple(kept) or (GridMasks(7),)


def contrast(masked: Masked) -> Tensor:
    """``(H, W)`` float64: mean over channels of |input − fill|, its mean over pixels 1."""
    difference = (masked.tensor - masked.background).abs()
    difference = difference.to(sums_on(difference.device), torch.float64).mean(0)
    return difference / difference.mean().clamp_min(1e-12)


def _has_segments(masks: Masks, tensor: Tensor) -> bool:
    try:
        masks.over(tensor)
    except ArgumentError:
        return False
    return True


def _in_turn(parts: list[Part]) -> Iterator[Part]:
    while True:
        yield from parts


RELAX_FINE = Method(
    name="relax-fine",
    summary="RELAX over grids and superpixels of several sizes and two fills, with the contrast to the fill",
    needs="forwards",
    cost="n_masks + 1",
    source="this project, on Wickstrøm et al., IJCV 2023; docs/quality.md",
    run=relax_fine,
    budget=budget("n_masks"),
    fills=FILLS,
    kinds=kinds_for,
)
