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

With one part and without contrast it is RELAX. Importance is a mean similarity moved by the contrast, so that a value
may leave the range of the similarity. The standard error is of the parts that were tried, their weights as they are:
with fewer masks than a round has (1280 for a photograph) only the first parts, from coarse to fine, were.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import chain
from math import inf, nan

import numpy as np
import torch
from torch import Tensor

from relax.errors import ArgumentError, NothingSeenError
from relax.loop import Masked, Progress, sums_on
from relax.masks import GridMasks, Masks, SuperpixelMasks
from relax.methods.base import Maps, Method, Problem, budget
from relax.moments import Moments, correlation
from relax.stopping import FixedNumber

SIZES: dict[Masks, tuple[int, int]] = {
    GridMasks(7): (49, 32),
    GridMasks(14): (196, 64),
    SuperpixelMasks(n_segments=60): (60, 32),
    SuperpixelMasks(n_segments=120): (120, 32),
    SuperpixelMasks(n_segments=250): (250, 32),
    GridMasks(28): (784, 128),
}
"""The kinds of masks, from coarse to fine: their units (of superpixels: about), and the masks in a block."""

LARGEST_BLOCK = 128
"""Masks in a block of a kind that is not among them."""

FILLS = ("blur", "mean")

LEAST_CELL = 4
"""Pixels of the side of a unit, below which a kind of masks is left out."""

CONTRAST = 0.5
"""Exponent of the contrast."""


@dataclass(eq=False)
class Part:
    """One kind of masks with one fill.

    Attributes:
        masked: the input.
        seed: of its masks.
        share: of the map, before the effects are brought to one scale.
        size: masks in a block; two of them are tried in a turn, from whose difference the error is known.
        moments: of the masks that were tried.
    """

    masked: Masked
    seed: int
    share: float
    size: int
    moments: Moments

    @cached_property
    def contrast(self) -> Tensor:
        """``(H, W)`` float64: mean over channels of |input − fill|, its mean over pixels 1."""
        difference = (self.masked.tensor - self.masked.background).abs()
        difference = difference.to(sums_on(difference.device), torch.float64).mean(0)
        return difference / difference.mean().clamp_min(1e-12)


@dataclass(eq=False)
class Parts:
    """What the masks of all parts say together.

    Attributes:
        parts: that were tried.
        exponent: of the contrast.
        rounds: complete ones, in which every part had its turn.
    """

    parts: list[Part]
    exponent: float
    rounds: int = 0

    @property
    def n_masks(self) -> int:
        return sum(part.moments.n_masks for part in self.parts)

    @property
    def round_size(self) -> int:
        """Masks in a round of these parts."""
        return sum(2 * part.size for part in self.parts)

    @property
    def n_blocks(self) -> int:
        return sum(part.moments.n_blocks for part in self.parts)

    def weights(self) -> list[float]:
        """Of the parts, summing to one."""
        raw = [part.share / max(float(part.moments.effect().std()), 1e-12) for part in self.parts]
        return [value / sum(raw) for value in raw]

    def neutral(self) -> float:
        return sum(w * part.moments.mean_score() for w, part in zip(self.weights(), self.parts, strict=True))

    def importance(self) -> Tensor:
        terms = [
            w * (part.moments.mean_score() + part.contrast**self.exponent * part.moments.effect())
            for w, part in zip(self.weights(), self.parts, strict=True)
        ]
        return torch.stack(terms).sum(0)

    def uncertainty(self) -> Tensor:
        weights = self.weights()
        seen = [part.moments.importance() for part in self.parts]
        middle = torch.stack([w * r for w, r in zip(weights, seen, strict=True)]).sum(0)
        spreads = [
            w * (part.moments.uncertainty() + (r - middle).square())
            for w, part, r in zip(weights, self.parts, seen, strict=True)
        ]
        return torch.stack(spreads).sum(0)

    def variance(self, level: bool = True) -> Tensor:
        """``(H, W)``: squared standard error, as that of :class:`relax.moments.Moments`."""
        terms = []
        for w, part in zip(self.weights(), self.parts, strict=True):
            terms.append((w * part.contrast**self.exponent).square() * part.moments.variance(level))
        return torch.stack(terms).sum(0)

    def reliability(self) -> float:
        """Estimated correlation with the converged map; NaN, not known, in the first round."""
        return self.agreement() if self.rounds else nan

    def agreement(self) -> float:
        """The same for the masks that were tried, whichever they are."""
        return correlation(float(self.variance(level=False).mean()), float(self.importance().var()))

    def maps(self, signed: bool) -> Maps:
        return Maps(
            importance=self.importance().cpu().numpy(),
            uncertainty=self.uncertainty().cpu().numpy(),
            standard_error=self.variance().sqrt().cpu().numpy(),
            n_masks=self.n_masks,
            n_blocks=self.n_blocks,
            degrees_of_freedom=sum(part.moments.degrees_of_freedom for part in self.parts),
            reliability=self.agreement(),
            signed=signed,
            neutral=self.neutral(),
        )


def relax_fine(problem: Problem, *, contrast: float = CONTRAST) -> Maps:
    """Mean score of the masks that show a pixel, over grids and superpixels of several sizes and two fills.

    Args:
        problem: the input.
        contrast: exponent of the contrast between a pixel and its fill; 0 leaves it out.
    """
    if not 0.0 <= contrast <= 2.0:
        raise ArgumentError(f"expected `contrast` from 0 to 2, got {contrast!r}")
    return tried(problem, contrast).maps(problem.signed)


def tried(problem: Problem, contrast: float = CONTRAST) -> Parts:
    """All parts with their masks tried, in rounds from coarse to fine, until there are enough.

    An adaptive run ends with a round, a number of masks with a turn of one part; there is one turn at least.
    """
    parts = Parts([], contrast)
    most = problem.stopping.most
    unseen: NothingSeenError | None = None
    for part in chain(_made(problem), _again(problem, parts, most)):
        if parts.parts and parts.n_masks + 2 * part.size > most:
            break
        try:
            _try(problem, part)
        except NothingSeenError as error:  # such as of a fill that the encoder does not tell from the input
            unseen = error
            continue
        if not parts.rounds:
            parts.parts.append(part)
        done = problem.stopping.done(parts)
        if problem.on_block is not None:
            reliability = parts.reliability()
            expected = parts.n_masks if done else problem.stopping.expected(parts, reliability)
            if parts.rounds and most < inf:  # adaptive runs end with a round
                expected = min(expected, int(most // parts.round_size * parts.round_size))
            problem.on_block(Progress(parts.n_masks, max(expected, parts.n_masks), reliability))
        if done:
            break
    if unseen is not None and not parts.parts:
        raise unseen
    return parts


def _made(problem: Problem) -> Iterator[Part]:
    """The first round: parts from coarse to fine, made one after the other."""
    n_superpixels = sum(isinstance(masks, SuperpixelMasks) for masks in problem.kinds)
    number = 0
    for masks in problem.kinds:
        try:
            units = masks.over(problem.masked.tensor)
        except ArgumentError:
            if len(problem.kinds) == 1:
                raise
            continue  # a picture without segments has its grids
        _, most = SIZES.get(masks, (units.n_units, LARGEST_BLOCK))
        size = problem.design.sized(most).block_size(units.n_units)
        share = 1 / n_superpixels if isinstance(masks, SuperpixelMasks) else 1.0
        for masked in fills_of(problem):
            seed = seed_of(problem, number)
            number += 1
            moments = Moments(units.shape, sums_on(masked.tensor.device), problem.design.group)
            yield Part(replace(masked, masks=masks, laid=units), seed, share, size, moments)


def _again(problem: Problem, parts: Parts, most: float) -> Iterator[Part]:
    """Further rounds of the same parts, until they are enough or another one would be too much."""
    while parts.parts:
        parts.rounds += 1
        if problem.stopping.done(parts) or parts.n_masks + parts.round_size > most:
            return
        yield from parts.parts


def _try(problem: Problem, part: Part) -> None:
    """Two blocks of masks of one part."""
    alone = replace(
        problem,
        masked=part.masked,
        design=problem.design.sized(part.size),
        seed=part.seed,
        stopping=FixedNumber(part.moments.n_masks + part.size + 1),
        on_block=None,
    )
    alone.moments(part.moments)


def seed_of(problem: Problem, number: int) -> int:
    """A seed of its own for each part, so that no two try the same masks."""
    return int(np.random.SeedSequence([problem.seed, number]).generate_state(1)[0])


def fills_of(problem: Problem) -> list[Masked]:
    """The input with each of the fills, but for those that it equals (unless it equals all)."""
    filled = [masked for masked in problem.filled if bool((masked.tensor != masked.background).any())]
    return filled or list(problem.filled[:1])


def kinds_for(tensor: Tensor) -> tuple[Masks, ...]:
    """Those of ``SIZES`` whose units are large enough in an input."""
    height, width = tensor.shape[-2:]
    fits = []
    for masks, (n_units, _) in SIZES.items():
        pixels = min(height, width) ** 2 if isinstance(masks, GridMasks) else height * width
        if pixels >= LEAST_CELL**2 * n_units:
            fits.append(masks)
    if not any(isinstance(masks, GridMasks) for masks in fits):
        fits.insert(0, GridMasks(7))  # superpixels alone may be one segment
    return tuple(fits)


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
