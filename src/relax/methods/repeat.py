"""REPEAT: how often is a pixel important, when a stochastic method is run again (arXiv 2412.08513, AAAI 2025)?"""

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
from relax.methods.base import Method, Problem
from relax.methods.relax import Relax
from relax.modalities.batches import Batch


@dataclass(frozen=True)
class Repeat(Method):
    """Share of repeats in which a pixel is important, with ``p (1 − p)`` as its uncertainty.

    Each repeat k gives a map ``R_k`` and the pixels ``b_k = 1[R_k ≥ t_k]``; ``p = mean b_k``.

    Args:
        base: the method that is repeated, one that depends on the seed: a name or a method.
        repeats: K.
        cut: t_k, where a map is cut: ``"mean"``, ``"otsu"``, ``"triangle"``, ``"li"`` (scikit-image's),
            ``"median"``, ``"quantile:Q"``, or any callable from the map to a number.
        shared: for ``base="relax"``: draw the repeats from one run by the Bayesian bootstrap over its blocks of masks
            (Rubin 1981), at the cost of one run, instead of K runs with seeds of their own. A repeat then has the
            Monte-Carlo error that a run has.
    """

    base: str | Method = "relax"
    repeats: int = 10
    cut: Cut = "mean"
    shared: bool = True

    name = "repeat"
    summary = "share of repeats in which a pixel is important"
    needs = "what the base needs"
    cost = "one run of the base if shared, else K runs"
    source = "Wickstrøm et al., AAAI 2025, arXiv 2412.08513"
    takes_masks = True

    def check(self) -> None:
        if self.repeats < 2:
            raise ArgumentError(f"expected `repeats` to be at least 2, got {self.repeats!r}")
        if isinstance(self.repeated, Repeat):
            raise ArgumentError(f"expected `base` to be another method than {self.repeated.name!r}")

    @property
    def repeated(self) -> Method:
        """The base."""
        return METHODS[self.base].made({}) if isinstance(self.base, str) else self.base

    @property
    def score_similarity(self) -> str:
        return self.repeated.score_similarity

    def run(self, problem: Problem) -> Maps:
        maps, n_masks = self._maps(problem)
        return self.combined(maps, n_masks)

    def combined(self, maps: np.ndarray, n_masks: int) -> Maps:
        """From maps ``(K, *shape)`` to probability and uncertainty."""
        important = np.stack([m >= cut_at(m, self.cut) for m in maps]).astype(float)
        probability = important.mean(0)
        measures = {"importance": "probability of being important", "uncertainty": "p (1 − p)"}
        return Maps(probability, probability * (1 - probability), measures=measures, n_masks=n_masks)

    def progressive(self, problem: Problem) -> Iterator[Maps]:
        if not self._from_one_run:
            yield self.run(problem)
            return
        for estimator in _Shared(self.repeats).estimates(problem):
            yield self.combined(estimator.resampled().cpu().numpy(), estimator.n_masks)

    def probe(self, problem: Problem, n: int) -> Batch:
        return self.repeated.probe(problem, n)

    @property
    def _from_one_run(self) -> bool:
        return self.shared and type(self.repeated) is Relax

    def _maps(self, problem: Problem) -> tuple[np.ndarray, int]:
        """``(K, *shape)`` maps and the masks that they cost."""
        base = self.repeated
        if self._from_one_run:
            (estimator,) = deque(_Shared(self.repeats).estimates(problem), maxlen=1)
            return estimator.resampled().cpu().numpy(), estimator.n_masks
        seeds = np.random.SeedSequence(problem.seed).generate_state(self.repeats).tolist()
        runs = [base.run(replace(problem, seed=seed)) for seed in seeds]
        maps = np.stack([run.importance for run in runs])
        if np.ptp(maps, axis=0).max() == 0:
            raise ArgumentError(f"method {base.name!r} gives the same map for every seed: repeats of it say nothing")
        return maps, sum(run.n_masks for run in runs)


@dataclass(frozen=True)
class RepeatWeighted(Repeat):
    """As ``repeat``, with each ``b_k`` weighted by ``R_k / max R_k``, which is what the authors' code computes."""

    name = "repeat-weighted"
    summary = "the same, each repeat weighted by its map, as in the authors' code"

    def combined(self, maps: np.ndarray, n_masks: int) -> Maps:
        weight = weighted_probability(maps, self.cut)
        measures = {"importance": "weighted share of repeats", "uncertainty": "p (1 − p)"}
        return Maps(weight, weight * (1 - weight), measures=measures, n_masks=n_masks)


def weighted_probability(maps: np.ndarray, cut: Cut) -> np.ndarray:
    """``mean_k 1[R_k ≥ t_k] R_k / max R_k`` of maps ``(K, H, W)``."""
    weighted = np.stack([np.where(m >= cut_at(m, cut), m, 0) / m.max() for m in maps])
    return np.asarray(weighted.mean(0))


@dataclass(frozen=True)
class _Shared(Relax):
    """RELAX whose estimator keeps bootstrap resamples."""

    repeats: int = 10

    def strata(self, problem: Problem) -> Iterator[Any]:
        yield problem.perturbed

    def estimator(self, problem: Problem) -> Bootstrap:
        return Bootstrap(problem.seed, self.repeats)

    def estimates(self, problem: Problem) -> Iterator[Bootstrap]:
        return super().estimates(problem)  # type: ignore[return-value]
