"""Attributions to units: KernelSHAP, LIME, Shapley sampling and occlusion.

Units are the players of a game; an absent player is a removed unit. Units stay at their central placement. A map
spreads the value of each unit over its elements, weighted by their membership, so that every element of a hard-edged
unit has the unit's value.
"""

from __future__ import annotations

import math
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
from relax.methods.problem import Problem
from relax.methods.work import Perturbing
from relax.modalities.batches import shapes
from relax.modalities.units import Block

PER_EVAL = 16
"""Number of coalitions that Captum evaluates at a time."""


@dataclass(frozen=True)
class Game(Perturbing):
    """Base class of attributions to units by Captum's perturbation methods.

    Args:
        n_samples: number of samples, positive.
    """

    cost: ClassVar[str] = "n_samples + 1"
    samples: ClassVar[str | None] = "n_samples"

    n_samples: int = 1000

    def check(self) -> None:
        if self.n_samples < 1:
            raise ArgumentError(f"expected `n_samples` to be a positive integer, got {self.n_samples!r}")

    def attribution(self, captum: Any, play: Callable[[Tensor], Tensor], seed: int, n_units: int) -> Any:
        """Create Captum's method.

        Args:
            captum: the module ``captum.attr``.
            play: scores coalitions: bits ``(N, n_units)`` to scores ``(N,)``.
            seed: random seed of the coalitions.
            n_units: number of units.
        """
        raise NotImplementedError

    def run(self, problem: Problem) -> Maps:
        captum = require("captum.attr", extra="methods")
        require("sklearn", extra="methods")
        units, device = problem.perturbed.units, problem.session.device
        placement = units.middle().to(device)

        def play(bits: Tensor) -> Tensor:
            block = Block(bits.float().view(-1, units.n_units), placement)
            return scores_of(problem.session, problem.perturbed, problem.reference, block)

        all_units = torch.ones(1, units.n_units, device=device)
        method = self.attribution(captum, play, problem.seed, units.n_units)
        with seeded(problem.seed, device):  # Captum's data loaders use the global state
            values = method.attribute(
                all_units,
                baselines=torch.zeros_like(all_units),
                n_samples=self.n_samples,
                perturbations_per_eval=PER_EVAL,
            )
        problem.session.check_finite()
        return Maps(units.spread(values[0].double()).cpu().numpy(), signed=True, n_masks=self.n_samples)


@dataclass(frozen=True)
class KernelShap(Game):
    """Shapley values of the units by weighted regression (Lundberg & Lee 2017).

    Where there are no more coalitions than samples all are tried, once each, and the values are exact.

    Args:
        n_samples: largest number of coalitions, positive.
    """

    name = "kernel-shap"
    summary = "Shapley values of the units of the masks, by weighted regression"
    source = "Lundberg & Lee, 2017"

    def run(self, problem: Problem) -> Maps:
        units = problem.perturbed.units
        if 2**units.n_units > self.n_samples:
            return super().run(problem)
        coalitions = torch.cartesian_prod(*[torch.tensor([0.0, 1.0])] * units.n_units).view(-1, units.n_units)
        block = Block(coalitions.to(problem.session.device), units.middle().to(problem.session.device))
        scores = scores_of(problem.session, problem.perturbed, problem.reference, block)
        problem.session.check_finite()
        values = units.spread(shapley_values(scores.double().cpu())).cpu().numpy()
        return Maps(values, standard_error=np.zeros_like(values), signed=True, n_masks=len(coalitions))

    def attribution(self, captum: Any, play: Callable[[Tensor], Tensor], seed: int, n_units: int) -> Any:
        if n_units < 2:
            raise ArgumentError("kernel-shap needs at least 2 units; use masks with more, or method='occlusion'")
        method = captum.KernelShap(play)
        draws = np.random.default_rng([seed, n_units])

        def coalitions(original: Tensor, **_: Any) -> Iterator[Tensor]:
            """All units, no units, then random coalitions with sizes drawn by the Shapley kernel."""
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
        n_samples: number of perturbed inputs, positive.
        alpha: weight of the lasso penalty, in units of the score.
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
        n_samples: number of permutations, positive; each costs one forward per unit.
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
class Occlusion(Perturbing):
    """Drop of the score when a sliding window is removed, averaged over windows (Zeiler & Fergus 2014).

    Args:
        window: side of the window in pixels of the encoder's input, ``None`` for a seventh of the shorter side; or
            ``"units"`` to remove each unit of the masks (cell, patch, superpixel) in turn, as for all inputs other than
            images.
        stride: step of the window in pixels, at most the window; ``None`` for half the window.
    """

    window: int | str | None = None
    stride: int | None = None

    name = "occlusion"
    summary = "drop of the score when a sliding window is removed"
    cost = "one a window + 2"
    source = "Zeiler & Fergus, ECCV 2014"

    def run(self, problem: Problem) -> Maps:
        if self.window == "units" or problem.modality.name != "image":
            return _leave_one_out(problem)
        captum = require("captum.attr", extra="methods")
        x = problem.prepared.tensor
        window, stride = self._window_and_stride(min(x.shape[-2:]))
        values = captum.Occlusion(lambda batch: _score(problem, batch)).attribute(
            x[None].clone(),
            sliding_window_shapes=(x.shape[0], window, window),
            strides=(x.shape[0], stride, stride),
            baselines=problem.perturbed.background[None],
            perturbations_per_eval=PER_EVAL,
        )
        problem.session.check_finite()
        # a window covers all channels, so they all have the same value
        return Maps(values[0].mean(0).cpu().double().numpy(), signed=True)

    def _window_and_stride(self, side: int) -> tuple[int, int]:
        """Window and stride in pixels."""
        window = max(1, round(side / 7)) if self.window is None else self.window
        if not isinstance(window, int) or not 1 <= window <= side:
            raise ArgumentError(
                f"expected `window` to be 'units' or from 1 to {side} (the shorter side), got {window!r}"
            )
        stride = max(1, window // 2) if self.stride is None else self.stride
        if not 1 <= stride <= window:
            raise ArgumentError(f"expected `stride` from 1 to {window} (the window), got {stride!r}")
        return window, stride


def _leave_one_out(problem: Problem) -> Maps:
    """Drop of the score when a single unit is removed, for each unit."""
    units = problem.perturbed.units
    bits = torch.cat([torch.ones(1, units.n_units), 1 - torch.eye(units.n_units)])
    block = Block(bits, units.middle()).to(problem.session.device)
    scores = scores_of(problem.session, problem.perturbed, problem.reference, block).cpu().double()
    problem.session.check_finite()
    return Maps(units.spread((scores[0] - scores[1:]).to(block.bits.device)).cpu().numpy(), signed=True)


def _score(problem: Problem, batch: Tensor) -> Tensor:
    """Scores of a batch, encoded in batches of the session's size."""
    return problem.session.run(
        len(batch), shapes(batch), lambda rows: problem.reference.score(problem.session(batch[rows].clone()))
    )


def shapley_values(scores: Tensor) -> Tensor:
    """Shapley values of a game of which every coalition has been played.

    Args:
        scores: scores of all coalitions, ``(2 ** n,)`` float64, in the order of binary numbers; the first player
            has the most significant bit.

    Returns:
        ``(n,)`` float64; they sum to the score of all players minus that of none.
    """
    n = len(scores).bit_length() - 1
    game = scores.view((2,) * n)
    sizes = torch.zeros((2,) * (n - 1), dtype=torch.long)  # of coalitions of the other players
    for player in range(n - 1):
        sizes = sizes + torch.arange(2).view([2 if axis == player else 1 for axis in range(n - 1)])
    weights = torch.tensor([1 / (n * math.comb(n - 1, size)) for size in range(n)], dtype=torch.float64)
    gains = [game.select(player, 1) - game.select(player, 0) for player in range(n)]
    return torch.stack([(weights[sizes] * gain).sum() for gain in gains])
