"""Stopping: how many masks are enough."""

from __future__ import annotations

import math
from dataclasses import dataclass
from numbers import Real
from typing import Any, Protocol

from relax.errors import ArgumentError


class Counted(Protocol):
    """What was tried so far: the moments of one run of masks, or of several."""

    @property
    def n_masks(self) -> int:
        """Masks."""

    @property
    def n_blocks(self) -> int:
        """Blocks of them."""

    def reliability(self) -> float:
        """Estimated correlation with the converged map; NaN while it is not known."""


class Stopping(Protocol):
    """Decides after each block whether the map is good enough."""

    @property
    def most(self) -> float:
        """The number of masks that must not be passed."""

    @property
    def largest_block(self) -> float:
        """Masks in a block, so that there are enough blocks to judge by."""

    def done(self, moments: Counted) -> bool:
        """Whether to stop."""

    def expected(self, moments: Counted, reliability: float | None) -> int:
        """The number of masks at which the run will probably end."""

    def settings(self) -> dict[str, Any]:
        """JSON-able description."""


@dataclass(frozen=True)
class FixedNumber:
    """Stop after at least ``n_masks`` masks: as many whole blocks as that takes."""

    n_masks: int

    most = math.inf
    largest_block = math.inf

    def __post_init__(self) -> None:
        _check_count("n_masks", self.n_masks)

    def done(self, moments: Counted) -> bool:
        return moments.n_masks >= self.n_masks

    def expected(self, moments: Counted, reliability: float | None) -> int:
        return self.n_masks

    def settings(self) -> dict[str, Any]:
        return {"n_masks": self.n_masks}


@dataclass(frozen=True)
class UntilReliable:
    """Stop when the estimated correlation with the converged map reaches ``target``.

    Args:
        target: reliability to reach, in (0, 1).
        max_masks: stop in any case before this number of masks is passed.
        min_blocks: blocks before the first look; the spread of fewer says too little.
    """

    target: float = 0.98
    max_masks: int = 3000
    min_blocks: int = 4

    def __post_init__(self) -> None:
        if isinstance(self.target, bool) or not isinstance(self.target, Real) or not 0.0 < self.target < 1.0:
            raise ArgumentError(f"expected `reliability` between 0 and 1 (both excluded), got {self.target!r}")
        object.__setattr__(self, "target", float(self.target))
        _check_count("max_masks", self.max_masks)

    @property
    def most(self) -> float:
        return self.max_masks

    @property
    def largest_block(self) -> float:
        return 2 * max(self.max_masks // self.min_blocks // 2, 1)

    def done(self, moments: Counted) -> bool:
        per_block = moments.n_masks // moments.n_blocks
        if moments.n_masks + per_block > self.max_masks:
            return True
        return moments.n_blocks >= self.min_blocks and moments.reliability() >= self.target

    def expected(self, moments: Counted, reliability: float | None) -> int:
        """Noise falls as one over the number of masks, which tells when it will be low enough."""
        if reliability is None or not math.isfinite(reliability):
            return self.max_masks
        noise = (1 - reliability**2) / (1 - self.target**2)
        return min(self.max_masks, max(moments.n_masks, round(moments.n_masks * noise)))

    def settings(self) -> dict[str, Any]:
        return {"reliability": self.target, "max_masks": self.max_masks}


def masks_needed(tolerance: float, confidence: float = 0.95, score_range: float = 1.0) -> int:
    """Masks after which a pixel's importance is within ``tolerance`` with probability ``confidence``.

    Hoeffding's bound ``N ≥ range² ln(2/δ) / (2 t²)`` (Wickstrøm et al. 2023, section 3.4), for independent
    masks and a score in an interval of length ``score_range``: 1 for scores in [0, 1], 2 for [−1, 1]. It is
    loose: real scores spread far less than their range.

    Example:
        >>> masks_needed(0.0248)
        2999
        >>> masks_needed(0.0248, score_range=2.0)
        11996
    """
    if not tolerance > 0:
        raise ArgumentError(f"expected `tolerance` to be positive, got {tolerance!r}")
    if not 0.0 < confidence < 1.0:
        raise ArgumentError(f"expected `confidence` between 0 and 1 (both excluded), got {confidence!r}")
    if not score_range > 0:
        raise ArgumentError(f"expected `score_range` to be positive, got {score_range!r}")
    return math.ceil(score_range**2 * math.log(2 / (1 - confidence)) / (2 * tolerance**2))


def _check_count(name: str, value: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ArgumentError(f"expected `{name}` to be a positive integer, got {value!r}")
