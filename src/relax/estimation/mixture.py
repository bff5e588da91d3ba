"""The mixture of several strata, weighted by hand and by the contrast to the fill (``relax-fine``).

Each stratum k is estimated by the ratio of moments. Then

* ``a_k = R_k − E[s_k]`` is the *effect* of keeping a pixel: the importance above the mean score of stratum k;
* ``w_k`` is the stratum's weight divided by the spatial standard deviation of ``a_k``, normalised to sum to one, so
  that large cells, which change the score more, do not drown small ones;
* ``g_k = (|x − b_k| / mean |x − b_k|)^½`` is the contrast. Masks cannot tell the pixels of a cell apart, but a pixel
  that equals its fill cannot matter, and removal changes a pixel more the more it differs from its fill;
* the importance is ``R = Σ v_k E[s_k] + Σ w_k g_k a_k``, where the level uses the predefined weights v, so that no
  estimated weight affects it; the uncertainty is the variance of the score over the masks of all strata, mixed with
  weights w; the standard error is ``√(Σ (w_k g_k SE_k)²)``, with the error of the level added in quadrature.

With one stratum and no contrast, this is RELAX. The contrast may move the importance out of the range of the
similarity. The standard error treats the weights ``w_k`` as fixed.
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
        moments: accumulated sums over the stratum's masks.
        modality: modality of the input.
    """

    perturbed: Perturbed
    moments: Moments
    modality: Modality

    @property
    def weight(self) -> float:
        """Predefined weight of the stratum, before normalisation by the scale of its effect."""
        return self.perturbed.stratum.weight

    @cached_property
    def contrast(self) -> Tensor:
        """``|x − b|`` as a map, ``(H, W)`` float64, scaled to a spatial mean of 1."""
        difference = (self.perturbed.prepared.tensor - self.perturbed.background).abs()
        difference = self.modality.to_map(difference.to(sums_on(difference.device), torch.float64))
        return difference / difference.mean().clamp_min(1e-12)


class Mixture:
    """Estimator that mixes the maps of several strata.

    Args:
        modality: modality of the input.
        exponent: exponent of the contrast; 0 disables it.

    Attributes:
        parts: the strata evaluated so far.
        rounds: number of complete rounds, in which every stratum had its turn.
    """

    def __init__(self, modality: Modality, exponent: float) -> None:
        self.modality = modality
        self.exponent = exponent
        self.parts: list[Part] = []
        self.rounds = 0

    @property
    def n_masks(self) -> int:
        """Number of masks so far, over all strata."""
        return sum(part.moments.n_masks for part in self.parts)

    @property
    def n_blocks(self) -> int:
        """Number of blocks so far, over all strata."""
        return sum(part.moments.n_blocks for part in self.parts)

    def update(self, tried: Tried) -> None:
        """Add one scored block of masks to its stratum."""
        device = tried.scores.device
        if tried.number == len(self.parts):
            moments = Moments(tried.perturbed.units.shape, device, tried.perturbed.design.group)
            self.parts.append(Part(tried.perturbed, moments, self.modality))
        part = self.parts[tried.number]
        part.moments.update(tried.perturbed.units_on(device), tried.block.to(device), tried.scores)

    def close_round(self) -> None:
        """Count a complete round."""
        self.rounds += 1

    def weights(self) -> list[float]:
        """Weights ``w_k`` of the effects of the strata; they sum to one."""
        raw = [part.weight / max(float(part.moments.effect().std()), 1e-12) for part in self.parts]
        return [value / sum(raw) for value in raw]

    def neutral(self) -> float:
        """Importance of a pixel that has no effect: ``Σ v_k E[s_k]``."""
        return sum(v * part.moments.mean_score() for v, part in zip(self._level_weights(), self.parts, strict=True))

    def _level_weights(self) -> list[float]:
        """Predefined weights ``v_k`` of the levels of the strata; they sum to one."""
        total = sum(part.weight for part in self.parts)
        return [part.weight / total for part in self.parts]

    def importance(self) -> Tensor:
        """Importance map, ``(H, W)`` float64, in units of the score."""
        terms = [
            w * part.contrast**self.exponent * part.moments.effect()
            for w, part in zip(self.weights(), self.parts, strict=True)
        ]
        return self.neutral() + torch.stack(terms).sum(0)

    def uncertainty(self) -> Tensor:
        """Variance of the score over the masks of all strata, ``(H, W)`` float64."""
        weights = self.weights()
        importances = [part.moments.importance() for part in self.parts]
        mean = torch.stack([w * r for w, r in zip(weights, importances, strict=True)]).sum(0)
        terms = [
            w * (part.moments.uncertainty() + (r - mean).square())
            for w, part, r in zip(weights, self.parts, importances, strict=True)
        ]
        return torch.stack(terms).sum(0)

    def variance(self, level: bool = True) -> Tensor:
        """Squared standard error of the importance, ``(H, W)`` float64.

        Args:
            level: whether to include the error of the level, which all pixels share.
        """
        terms = []
        for w, v, part in zip(self.weights(), self._level_weights(), self.parts, strict=True):
            pattern = (w * part.contrast**self.exponent).square() * part.moments.variance(level=False)
            terms.append(pattern + v**2 * part.moments.level_variance() if level else pattern)
        return torch.stack(terms).sum(0)

    def reliability(self) -> float:
        """Estimated correlation of the importance with the converged map, in [0, 1]; NaN before a full round."""
        return self.agreement() if self.rounds else nan

    def agreement(self) -> float:
        """Estimated correlation of the importance with the converged map of the strata evaluated so far, in [0, 1]."""
        return correlation(float(self.variance(level=False).mean()), float(self.importance().var()))

    def maps(self, signed: bool) -> Maps:
        """Maps of all masks so far.

        Args:
            signed: whether to interpret the importance relative to its neutral value.
        """
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
