"""Stopping rules: how many masks to evaluate."""

from __future__ import annotations

import math
from dataclasses import dataclass
from numbers import Real
from typing import Any, Protocol

from relax.errors import ArgumentError


class Counted(Protocol):
    """State of a run that a stopping rule looks at: moments, or an estimator."""

    @property
    def n_masks(self) -> int:
        """Number of masks so far."""

    @property
    def n_blocks(self) -> int:
        """Number of blocks so far."""

    def reliability(self) -> float:
        """Estimated correlation with the converged map, in [0, 1]; NaN while unknown."""


class Stopping(Protocol):
    """Interface of a stopping rule, consulted after each block."""

    @property
    def most(self) -> float:
        """Maximum number of masks."""

    @property
    def wanted(self) -> int:
        """Number of masks asked for, or the limit of an adaptive run."""

    @property
    def enumerated(self) -> int:
        """Number of masks up to which all are tried; 0 for never."""

    @property
    def largest_block(self) -> float:
        """Maximum number of masks in a block that leaves enough blocks to judge by."""

    def done(self, moments: Counted) -> bool:
        """Whether to stop now."""

    def expected(self, moments: Counted, reliability: float | None) -> int:
        """Expected number of masks at the end of the run.

        Args:
            moments: state of the run.
            reliability: current reliability; ``None`` or NaN while unknown.
        """

    def settings(self) -> dict[str, Any]:
        """JSON-serialisable description."""


@dataclass(frozen=True)
class FixedNumber:
    """Stop after ``n_masks`` masks, rounded up to whole blocks.

    Args:
        n_masks: minimum number of masks, positive.
        enumerated: number of masks up to which all are tried; 0 for never.

    Raises:
        ArgumentError: ``n_masks`` is not a positive integer.
    """

    n_masks: int
    enumerated: int = 0

    most = math.inf
    largest_block = math.inf

    def __post_init__(self) -> None:
        _check_count("n_masks", self.n_masks)

    @property
    def wanted(self) -> int:
        """The number of masks asked for."""
        return self.n_masks

    def done(self, moments: Counted) -> bool:
        """Whether ``n_masks`` masks were evaluated."""
        return moments.n_masks >= self.n_masks

    def expected(self, moments: Counted, reliability: float | None) -> int:
        """Always ``n_masks``."""
        return self.n_masks

    def settings(self) -> dict[str, Any]:
        """JSON-serialisable description."""
        return {"n_masks": self.n_masks}


@dataclass(frozen=True)
class UntilReliable:
    """Stop when the reliability reaches ``target``.

    Args:
        target: reliability to reach, in (0, 1): estimated correlation with the converged map.
        max_masks: maximum number of masks, positive.
        min_blocks: minimum number of blocks; fewer do not give a usable standard error.
        enumerated: number of masks up to which all are tried; 0 for never.

    Raises:
        ArgumentError: ``target`` or ``max_masks`` is out of range.
    """

    target: float = 0.98
    max_masks: int = 3000
    min_blocks: int = 4
    enumerated: int = 0

    def __post_init__(self) -> None:
        if isinstance(self.target, bool) or not isinstance(self.target, Real) or not 0.0 < self.target < 1.0:
            raise ArgumentError(f"expected `reliability` between 0 and 1 (both excluded), got {self.target!r}")
        object.__setattr__(self, "target", float(self.target))
        _check_count("max_masks", self.max_masks)

    @property
    def most(self) -> float:
        """Maximum number of masks."""
        return self.max_masks

    @property
    def wanted(self) -> int:
        """Maximum number of masks."""
        return self.max_masks

    @property
    def largest_block(self) -> float:
        """Maximum number of masks in a block, even, for ``min_blocks`` blocks within ``max_masks``."""
        return 2 * max(self.max_masks // self.min_blocks // 2, 1)

    def done(self, moments: Counted) -> bool:
        """Whether the target is reached, or another block would exceed ``max_masks``."""
        per_block = moments.n_masks // moments.n_blocks
        if moments.n_masks + per_block > self.max_masks:
            return True
        return moments.n_blocks >= self.min_blocks and moments.reliability() >= self.target

    def expected(self, moments: Counted, reliability: float | None) -> int:
        """Extrapolated number of masks at the target; error variance falls as one over the number of masks."""
        if reliability is None or not math.isfinite(reliability):
            return self.max_masks
        noise = (1 - reliability**2) / (1 - self.target**2)
        return min(self.max_masks, max(moments.n_masks, round(moments.n_masks * noise)))

    def settings(self) -> dict[str, Any]:
        """JSON-serialisable description."""
        return {"reliability": self.target, "max_masks": self.max_masks}


def masks_needed(tolerance: float, confidence: float = 0.95, score_range: float = 1.0) -> int:
    """Number of masks that bounds a pixel's error by ``tolerance`` with probability ``confidence``.

    Hoeffding's bound ``N ≥ range² ln(2/δ) / (2 t²)`` for independent masks (Wickstrøm et al. 2023, section 3.4). It is
    loose, because scores vary far less than their range.

    Args:
        tolerance: maximum absolute error of the importance t, in units of the score, positive.
        confidence: probability ``1 − δ``, in (0, 1).
        score_range: length of the interval of possible scores: 1 for [0, 1], 2 for [−1, 1].

    Raises:
        ArgumentError: an argument is out of range.

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
