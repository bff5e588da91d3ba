"""Several strata brought together by hand-made weights, with the contrast to the fill (``relax-fine``).

For the strata k, each estimated by ratio of moments:

* ``a_k = R_k − E[s_k]``: what stratum k finds above the mean score, the *effect* of showing a pixel;
* ``w_k``: the stratum's weight over the spatial standard deviation of ``a_k``, so that large cells, which move the
  score by more, do not drown the small ones; the ``w_k`` sum to one;
* ``g_k = (|x − b_k| / mean |x − b_k|)^½``: masks cannot tell the pixels of a cell apart, but one that equals its fill
  cannot matter, and one that differs much is removed more;
* importance ``R = Σ v_k E[s_k] + Σ w_k g_k a_k``, with the strata's own weights v for the level, which is thus not
  moved by weights that are estimated; uncertainty the spread of the score over the masks of all strata, in the
  proportions w, standard error ``√(Σ (w_k g_k SE_k)²)``.

With one stratum and without contrast it is RELAX. Importance is a mean similarity moved by the contrast, so that a
value may leave the range of the similarity. The standard error is of the strata that were tried, their weights as they
are.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from math import nan

import torch
from torch import Tensor

from relax.estimation.maps import Maps
from relax.estimation.moments import Moments, correlation
from relax.estimation.strata import Perturbed, Tried, sums_on
from relax.modalities.base import Modality


@dataclass(eq=False)
class Part:
    """One stratum and its moments.

    Attributes:
        perturbed: the input under the stratum.
        moments: of the masks that were tried.
        modality: of the input.
    """

    perturbed: Perturbed
    moments: Moments
    modality: Modality

    @property
    def weight(self) -> float:
        """The stratum's weight, before effects are brought to one scale."""
        return self.perturbed.stratum.weight

    @cached_property
    def contrast(self) -> Tensor:
        """``(H, W)`` float64: mean over channels of |input − fill|, its mean over pixels 1."""
        difference = (self.perturbed.prepared.tensor - self.perturbed.background).abs()
        difference = self.modality.to_map(difference.to(sums_on(difference.device), torch.float64))
        return difference / difference.mean().clamp_min(1e-12)


class Mixture:
    """What the masks of all strata say together.

    Args:
        modality: of the input.
        exponent: of the contrast; 0 leaves it out.

    Attributes:
        parts: the strata that were tried.
        rounds: complete ones, in which every stratum had its turn.
    """

    def __init__(self, modality: Modality, exponent: float) -> None:
        self.modality = modality
        self.exponent = exponent
        self.parts: list[Part] = []
        self.rounds = 0

    @property
    def n_masks(self) -> int:
        return sum(part.moments.n_masks for part in self.parts)

    @property
    def n_blocks(self) -> int:
        return sum(part.moments.n_blocks for part in self.parts)

    def update(self, tried: Tried) -> None:
        device = tried.scores.device
        if tried.number == len(self.parts):
            moments = Moments(tried.perturbed.units.shape, device, tried.perturbed.design.group)
            self.parts.append(Part(tried.perturbed, moments, self.modality))
        part = self.parts[tried.number]
        part.moments.update(tried.perturbed.units_on(device), tried.block.to(device), tried.scores)

    def close_round(self) -> None:
        self.rounds += 1

    def weights(self) -> list[float]:
        """Of the strata, summing to one."""
        raw = [part.weight / max(float(part.moments.effect().std()), 1e-12) for part in self.parts]
        return [value / sum(raw) for value in raw]

    def neutral(self) -> float:
        """The mean score over strata by their own weights: importance of a pixel that makes no difference."""
        return sum(v * part.moments.mean_score() for v, part in zip(self._shares(), self.parts, strict=True))

    def _shares(self) -> list[float]:
        """The strata's own weights, summing to one: not estimated, so that the level does not move with them."""
        total = sum(part.weight for part in self.parts)
        return [part.weight / total for part in self.parts]

    def importance(self) -> Tensor:
        """``(H, W)`` float64."""
        terms = [
            w * part.contrast**self.exponent * part.moments.effect()
            for w, part in zip(self.weights(), self.parts, strict=True)
        ]
        return self.neutral() + torch.stack(terms).sum(0)

    def uncertainty(self) -> Tensor:
        """``(H, W)`` float64: spread of the score over the masks of all strata."""
        weights = self.weights()
        seen = [part.moments.importance() for part in self.parts]
        middle = torch.stack([w * r for w, r in zip(weights, seen, strict=True)]).sum(0)
        spreads = [
            w * (part.moments.uncertainty() + (r - middle).square())
            for w, part, r in zip(weights, self.parts, seen, strict=True)
        ]
        return torch.stack(spreads).sum(0)

    def variance(self, level: bool = True) -> Tensor:
        """``(H, W)``: squared standard error, as that of :class:`relax.estimation.moments.Moments`."""
        terms = []
        for w, v, part in zip(self.weights(), self._shares(), self.parts, strict=True):
            pattern = (w * part.contrast**self.exponent).square() * part.moments.variance(level=False)
            terms.append(pattern + v**2 * part.moments.level_variance() if level else pattern)
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
