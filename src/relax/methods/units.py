"""Attributions to the units of a Masks as players of a game (KernelSHAP, LIME, Shapley sampling), and occlusion.

A player that is absent is a unit that is removed. The units stay at their middle placement. A unit's value is
spread over the elements that belong to it, weighted by how much they do, so that for hard-edged units each element has
the value of its unit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from relax._support.extras import require
from relax._support.seeding import generator, seeded
from relax.errors import ArgumentError
from relax.estimation.loop import scores_of
from relax.estimation.maps import Maps
from relax.methods.base import Method, Problem
from relax.modalities.batches import shapes
from relax.modalities.units import Block

PER_EVAL = 16
"""Coalitions that Captum hands over at a time."""


@dataclass(frozen=True)
class Game(Method):
    """A game whose players are the units; attributions by one of Captum's methods."""

    cost: ClassVar[str] = "n_samples + 1"
    samples: ClassVar[str | None] = "n_samples"

    n_samples: int = 1000

    def check(self) -> None:
        if self.n_samples < 1:
            raise ArgumentError(f"expected `n_samples` to be a positive integer, got {self.n_samples!r}")

    def attribution(self, captum: Any, play: Callable[[Tensor], Tensor], seed: int, n_units: int) -> Any:
        """Captum's method on the game."""
        raise NotImplementedError

    def run(self, problem: Problem) -> Maps:
        captum = require("captum.attr", extra="methods")
        require("sklearn", extra="methods")
        units, device = problem.perturbed.units, problem.session.device
        placement = units.middle().to(device)

        def play(bits: Tensor) -> Tensor:
            block = Block(bits.float().view(-1, units.n_units), placement)
            return scores_of(problem.session, problem.perturbed, problem.reference, block)

        everyone = torch.ones(1, units.n_units, device=device)
        method = self.attribution(captum, play, problem.seed, units.n_units)
        with seeded(problem.seed, device):  # Captum's data loaders draw a seed from the global state
            values = method.attribute(
                everyone,
                baselines=torch.zeros_like(everyone),
                n_samples=self.n_samples,
                perturbations_per_eval=PER_EVAL,
            )
        problem.session.check_finite()
        return Maps(units.spread(values[0].double()).cpu().numpy(), signed=True, n_masks=self.n_samples)


@dataclass(frozen=True)
class KernelShap(Game):
    """Shapley values of the units by weighted regression (Lundberg & Lee 2017).

    Args:
        n_samples: coalitions.
    """

    name = "kernel-shap"
    summary = "Shapley values of the units of the masks, by weighted regression"
    source = "Lundberg & Lee, 2017"

    def attribution(self, captum: Any, play: Callable[[Tensor], Tensor], seed: int, n_units: int) -> Any:
        method = captum.KernelShap(play)
        draws = np.random.default_rng([seed, n_units])

        def coalitions(original: Tensor, **_: Any) -> Iterator[Tensor]:
            """Everyone, no one, then sizes by the Shapley kernel and members at random."""
            yield torch.ones(1, n_units, dtype=torch.long, device=original.device)
            yield torch.zeros(1, n_units, dtype=torch.long, device=original.device)
            sizes = np.arange(1, n_units)
            weights = 1 / (sizes * (n_units - sizes))
            while True:
                bits = torch.zeros(1, n_units, dtype=torch.long)
                bits[0, draws.permutation(n_units)[: draws.choice(sizes, p=weights / weights.sum())]] = 1
                yield bits.to(original.device)

        method.perturb_func = coalitions
        return method


@dataclass(frozen=True)
class Lime(Game):
    """Coefficients of a sparse linear model of the score in the units (Ribeiro et al. 2016).

    Args:
        n_samples: perturbed inputs.
        alpha: weight of the lasso's penalty, in units of the score.
    """

    alpha: float = 0.0001

    name = "lime"
    summary = "sparse linear model of the score in the units of the masks"
    source = "Ribeiro et al., 2016"

    def attribution(self, captum: Any, play: Callable[[Tensor], Tensor], seed: int, n_units: int) -> Any:
        model = require("captum._utils.models.linear_model", extra="methods").SkLearnLasso(alpha=self.alpha)
        draws = generator(seed, n_units)

        def perturb(original: Tensor, **_: Any) -> Tensor:
            return torch.bernoulli(torch.full((1, n_units), 0.5), generator=draws).to(original.device).long()

        method = captum.Lime(play, interpretable_model=model)
        method.perturb_func = perturb
        return method


@dataclass(frozen=True)
class ShapleySampling(Game):
    """Shapley values of the units by sampling permutations (Castro et al. 2009).

    Args:
        n_samples: permutations; each costs a forward a unit.
    """

    n_samples: int = 20

    name = "shapley-sampling"
    summary = "Shapley values of the units of the masks, by permutations"
    cost = "n_samples * n_units + 2"
    source = "Castro et al., 2009"

    def attribution(self, captum: Any, play: Callable[[Tensor], Tensor], seed: int, n_units: int) -> Any:
        method = captum.ShapleyValueSampling(play)
        draws = np.random.default_rng([seed, n_units])

        def permutations(n_players: int, n_samples: int) -> Iterable[list[int]]:
            return (draws.permutation(n_players).tolist() for _ in range(n_samples))

        method.permutation_generator = permutations
        return method

    def affordable(self, forwards: int, n_units: int) -> int:
        return max(1, forwards // n_units)


@dataclass(frozen=True)
class Occlusion(Method):
    """Fall of the score when a sliding window is removed, averaged over windows (Zeiler & Fergus 2014).

    Args:
        window: side of the window in pixels of the encoder's input, by default a seventh of the shorter side; or
            ``"units"``: each unit of the masks (cell, patch, superpixel) is removed in turn, as always where the input
            is no image.
        stride: step in pixels; by default half the window.
    """

    window: int | str | None = None
    stride: int | None = None

    name = "occlusion"
    summary = "fall of the score when a sliding window is removed"
    cost = "one a window + 2"
    source = "Zeiler & Fergus, ECCV 2014"

    def run(self, problem: Problem) -> Maps:
        if self.window == "units" or problem.modality.name != "image":
            return _one_by_one(problem)
        captum = require("captum.attr", extra="methods")
        x = problem.prepared.tensor
        window, stride = self._steps(min(x.shape[-2:]))
        values = captum.Occlusion(lambda batch: _score(problem, batch)).attribute(
            x[None].clone(),
            sliding_window_shapes=(x.shape[0], window, window),
            strides=(x.shape[0], stride, stride),
            baselines=problem.perturbed.background[None],
            perturbations_per_eval=PER_EVAL,
        )
        problem.session.check_finite()
        # the window covers all channels, so that all have the same value
        return Maps(values[0].mean(0).cpu().double().numpy(), signed=True)

    def _steps(self, side: int) -> tuple[int, int]:
        """Window and stride in pixels."""
        window = max(1, round(side / 7)) if self.window is None else self.window
        if not isinstance(window, int) or not 1 <= window <= side:
            raise ArgumentError(
                f"expected `window` to be 'units' or from 1 to {side}, the shorter side, got {window!r}"
            )
        stride = max(1, window // 2) if self.stride is None else self.stride
        if not 1 <= stride <= window:
            raise ArgumentError(f"expected `stride` from 1 to {window}, the window, got {stride!r}")
        return window, stride


def _one_by_one(problem: Problem) -> Maps:
    """Fall of the score when each unit of the masks is removed alone, the units at their middle placement."""
    units = problem.perturbed.units
    bits = torch.cat([torch.ones(1, units.n_units), 1 - torch.eye(units.n_units)])
    block = Block(bits, units.middle()).to(problem.session.device)
    scores = scores_of(problem.session, problem.perturbed, problem.reference, block).cpu().double()
    problem.session.check_finite()
    return Maps(units.spread((scores[0] - scores[1:]).to(block.bits.device)).cpu().numpy(), signed=True)


def _score(problem: Problem, batch: Tensor) -> Tensor:
    """Scores in batches of the size that the session found best."""
    return problem.session.run(
        len(batch), shapes(batch), lambda rows: problem.reference.score(problem.session(batch[rows].clone()))
    )
