"""REPEAT: how often is a pixel important, when a stochastic method is run again (arXiv 2412.08513, AAAI 2025)?"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from relax.errors import ArgumentError
from relax.methods.base import Maps, Method, Problem, budget
from relax.moments import Moments
from relax.thresholds import Cut, cut_at

UNITS = {"importance": "probability of being important", "uncertainty": "p (1 − p)"}


def repeat(problem: Problem, *, base: str = "relax", repeats: int = 10, cut: Cut = "mean", shared: bool = True) -> Maps:
    """Share of repeats in which a pixel is important, with ``p (1 − p)`` as its uncertainty.

    Each repeat k gives a map ``R_k`` and the pixels ``b_k = 1[R_k ≥ t_k]``; ``p = mean b_k``.

    Args:
        problem: the input.
        base: the method that is repeated; one that depends on the seed.
        repeats: K.
        cut: t_k, where a map is cut: ``"mean"``, ``"otsu"``, ``"triangle"``, ``"li"`` (scikit-image's),
            ``"median"``, ``"quantile:Q"``, or any callable from the map to a number.
        shared: for ``base="relax"``: draw the repeats from one run by the Bayesian bootstrap over its blocks of masks
            (Rubin 1981), at the cost of one run, instead of K runs with seeds of their own. A repeat then has the
            Monte-Carlo error that a run has.
    """
    maps, n_masks = _repeats(problem, base, repeats, shared)
    important = np.stack([m >= cut_at(m, cut) for m in maps]).astype(float)
    probability = important.mean(0)
    return Maps(probability, probability * (1 - probability), units=UNITS, n_masks=n_masks)


def repeat_weighted(
    problem: Problem, *, base: str = "relax", repeats: int = 10, cut: Cut = "mean", shared: bool = True
) -> Maps:
    """As ``repeat``, with each ``b_k`` weighted by ``R_k / max R_k``, which is what the authors' code computes.

    Args:
        problem: the input.
        base: the method that is repeated.
        repeats: K.
        cut: where a map is cut.
        shared: draw the repeats from one run.
    """
    maps, n_masks = _repeats(problem, base, repeats, shared)
    weight = weighted_probability(maps, cut)
    units = {"importance": "weighted share of repeats", "uncertainty": "p (1 − p)"}
    return Maps(weight, weight * (1 - weight), units=units, n_masks=n_masks)


def weighted_probability(maps: np.ndarray, cut: Cut) -> np.ndarray:
    """``mean_k 1[R_k ≥ t_k] R_k / max R_k`` of maps ``(K, H, W)``."""
    weighted = np.stack([np.where(m >= cut_at(m, cut), m, 0) / m.max() for m in maps])
    return np.asarray(weighted.mean(0))


def _repeats(problem: Problem, base: str, repeats: int, shared: bool) -> tuple[np.ndarray, int]:
    """``(K, H, W)`` maps and the masks that they cost."""
    from relax.methods import METHODS  # the table holds this method too

    if repeats < 2:
        raise ArgumentError(f"expected `repeats` to be at least 2, got {repeats!r}")
    if base in ("repeat", "repeat-weighted"):
        raise ArgumentError(f"expected `base` to be another method than {base!r}")
    method = METHODS[base]
    if base == "relax" and shared:
        moments = BootstrappedMoments(problem, repeats)
        problem.moments(moments)
        return moments.resampled().cpu().numpy(), moments.n_masks
    runs = [
        method.run(replace(problem, seed=seed), **method.options({}))
        for seed in np.random.SeedSequence(problem.seed).generate_state(repeats).tolist()
    ]
    maps = np.stack([run.importance for run in runs])
    if np.ptp(maps, axis=0).max() == 0:
        raise ArgumentError(f"method {base!r} gives the same map for every seed, so that repeats of it say nothing")
    return maps, sum(run.n_masks for run in runs)


class BootstrappedMoments(Moments):
    """Moments that also keep K sums in which each block has an exponential weight of its own.

    Args:
        problem: for the shape, the device, the design and the seed.
        repeats: K.
    """

    def __init__(self, problem: Problem, repeats: int) -> None:
        device = problem.masked.tensor.device
        super().__init__(problem.masked.units.shape, "cpu" if device.type == "mps" else device, problem.design.group)
        self._weights = np.random.default_rng([problem.seed, repeats])
        columns = self._sums.shape[1]
        self._resamples = torch.zeros(2, repeats, columns, dtype=torch.float64, device=self._sums.device)

    def add(self, sums: Tensor, n_masks: int) -> None:
        super().add(sums, n_masks)
        weights = torch.from_numpy(self._weights.exponential(size=self._resamples.shape[1])).to(sums.device)
        self._resamples += weights[None, :, None] * sums[:2, None]

    def resampled(self) -> Tensor:
        """``(K, H, W)`` importance maps, one a resample."""
        maps: Tensor = (self._resamples[1] / self._resamples[0])[:, :-1]
        return maps.view(-1, *self.shape)


def _method(name: str, run: Any, summary: str) -> Method:
    cost = "one run of the base if shared, else K runs"
    return Method(
        name,
        summary,
        "what the base needs",
        cost,
        "Wickstrøm et al., AAAI 2025, arXiv 2412.08513",
        run,
        budget=budget("n_masks"),
    )


REPEAT_METHODS = (
    _method("repeat", repeat, "share of repeats in which a pixel is important"),
    _method("repeat-weighted", repeat_weighted, "the same, each repeat weighted by its map, as in the authors' code"),
)
