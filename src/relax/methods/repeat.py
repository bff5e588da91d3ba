"""REPEAT: how often a stochastic method finds a pixel important (Wickstrøm et al., AAAI 2025, arXiv 2412.08513)."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from relax._support.thresholds import Cut, cut_at
from relax.errors import ArgumentError
from relax.estimation.bootstrap import Bootstrap
from relax.estimation.maps import Maps
from relax.methods import METHODS
from relax.methods.base import Method
from relax.methods.problem import Problem
from relax.methods.relax import Relax
from relax.modalities.batches import Batch


@dataclass(frozen=True)
class Repeat(Method):
    """Fraction of repeats in which a pixel is important, with uncertainty ``p (1 − p)``.

    Repeat k yields a map ``R_k`` and the important pixels ``b_k = 1[R_k ≥ t_k]``; the map is ``p = mean_k b_k``.

    Args:
        base: method to repeat, by name or configured; it must depend on the seed.
        repeats: number of repeats K, at least 2.
        cut: how to choose ``t_k``: ``"mean"``, ``"otsu"``, ``"triangle"``, ``"li"`` (scikit-image), ``"median"``,
            ``"quantile:Q"``, or any callable from the map to a number.
        shared: for ``base="relax"``, whether to resample all repeats from a single run by the Bayesian bootstrap over
            its blocks of masks (Rubin 1981), instead of K runs with different seeds. Each repeat then has the
            Monte-Carlo error of one run.
    """

    base: str | Method = "relax"
    repeats: int = 10
    cut: Cut = "mean"
    shared: bool = True

    name = "repeat"
    summary = "fraction of repeats in which a pixel is important"
    needs = "what the base needs"
    cost = "one run of the base if shared, else K runs"
    source = "Wickstrøm et al., AAAI 2025, arXiv 2412.08513"
    takes_masks = True
    enumerates = False

    def check(self) -> None:
        if self.repeats < 2:
            raise ArgumentError(f"expected `repeats` to be at least 2, got {self.repeats!r}")
        if isinstance(self.repeated, Repeat):
            raise ArgumentError(f"expected `base` to be another method, got {self.repeated.name!r}")

    @property
    def repeated(self) -> Method:
        """The configured base method."""
        return METHODS[self.base].made({}) if isinstance(self.base, str) else self.base

    @property
    def score_similarity(self) -> str:
        return self.repeated.score_similarity

    def run(self, problem: Problem) -> Maps:
        maps, n_masks = self._maps(problem)
        return self.combined(maps, n_masks)

    def combined(self, maps: np.ndarray, n_masks: int) -> Maps:
        """Combine the maps of all repeats.

        Args:
            maps: maps of the repeats, ``(K, *shape)``.
            n_masks: number of masks behind them.

        Returns:
            Probability of being important and its uncertainty, each ``(*shape)``.
        """
        important = np.stack([m >= cut_at(m, self.cut) for m in maps]).astype(float)
        probability = important.mean(0)
        measures = {"importance": "probability of being important", "uncertainty": "p (1 − p)"}
        return Maps(probability, probability * (1 - probability), measures=measures, n_masks=n_masks)

    def progressive(self, problem: Problem) -> Iterator[Maps]:
        if not self._from_one_run:
            yield self.run(problem)
            return
        for estimator in _BootstrappedRelax(self.repeats).estimates(problem):
            yield self.combined(estimator.resampled().cpu().numpy(), estimator.n_masks)

    def probe(self, problem: Problem, n: int) -> Batch:
        return self.repeated.probe(problem, n)

    @property
    def _from_one_run(self) -> bool:
        return self.shared and type(self.repeated) is Relax

    def _maps(self, problem: Problem) -> tuple[np.ndarray, int]:
        """Maps of all repeats ``(K, *shape)``, and their total number of masks."""
        base = self.repeated
        if self._from_one_run:
            (estimator,) = deque(_BootstrappedRelax(self.repeats).estimates(problem), maxlen=1)
            return estimator.resampled().cpu().numpy(), estimator.n_masks
        seeds = np.random.SeedSequence(problem.seed).generate_state(self.repeats).tolist()
        runs = [base.run(replace(problem, seed=seed)) for seed in seeds]
        maps = np.stack([run.importance for run in runs])
        if np.ptp(maps, axis=0).max() == 0:
            raise ArgumentError(
                f"method {base.name!r} gives the same map for every seed; choose a base that depends on the seed"
            )
        return maps, sum(run.n_masks for run in runs)


@dataclass(frozen=True)
class RepeatWeighted(Repeat):
    """REPEAT with each ``b_k`` weighted by ``R_k / max R_k``, as in the authors' code."""

    name = "repeat-weighted"
    summary = "REPEAT with each repeat weighted by its map, as in the authors' code"

    def combined(self, maps: np.ndarray, n_masks: int) -> Maps:
        probability = weighted_probability(maps, self.cut)
        measures = {"importance": "weighted share of repeats", "uncertainty": "p (1 − p)"}
        return Maps(probability, probability * (1 - probability), measures=measures, n_masks=n_masks)


def weighted_probability(maps: np.ndarray, cut: Cut) -> np.ndarray:
    """Weighted probability of being important, ``mean_k 1[R_k ≥ t_k] R_k / max R_k``.

    Args:
        maps: maps of the repeats, ``(K, *shape)``.
        cut: how to choose ``t_k``, as in :func:`relax._support.thresholds.cut_at`.

    Returns:
        ``(*shape)`` float64; a repeat without a positive value counts as 0.
    """
    weighted = np.stack([np.where(m >= cut_at(m, cut), m, 0) / m.max() if m.max() > 0 else 0 * m for m in maps])
    return np.asarray(weighted.mean(0))


@dataclass(frozen=True)
class _BootstrappedRelax(Relax):
    """RELAX whose estimator keeps bootstrap resamples."""

    repeats: int = 10

    def strata(self, problem: Problem) -> Iterator[Any]:
        yield problem.perturbed

    def estimator(self, problem: Problem) -> Bootstrap:
        return Bootstrap(problem.seed, self.repeats)

    def estimates(self, problem: Problem) -> Iterator[Bootstrap]:
        return super().estimates(problem)  # type: ignore[return-value]
