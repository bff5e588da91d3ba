"""What a regression believes of the effects of units."""

from __future__ import annotations

import math
from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True, eq=False)
class Posterior:
    """Posterior of the effects of the units: the sums of the coefficients of their cells, times one minus keep.

    Attributes:
        effects: ``(P,)`` posterior mean of the effects.
        variances: ``(P,)`` posterior variance of each effect.
        common: mean posterior covariance of two effects: variance of their mean.
        squares: ``(P,)`` squared posterior mean of the effects under each fill, on average over fills.
    """

    effects: Tensor
    variances: Tensor
    common: float
    squares: Tensor

    def reliability(self) -> float:
        """Estimated correlation of the effects with the true ones, in [0, 1].

        ``ρ² = V / (V + E)``, with the spatial variance V of the posterior mean, and the expected spatial variance E of
        its error. An error that all cells share does not count.
        """
        signal = float(self.effects.var(correction=0))
        noise = float(self.variances.mean()) - self.common
        return math.sqrt(signal / (signal + max(noise, 0.0))) if signal > 0 else 0.0
