"""Attributions to the units of a Masks as players of a game (KernelSHAP, LIME, Shapley sampling), and occlusion.

A player that is absent is a unit that is removed. The units stay at their middle placement. A unit's value is
spread over the pixels that belong to it, weighted by how much they do, so that for hard-edged units each pixel has
the value of its unit.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from relax.errors import ArgumentError
from relax.extras import require
from relax.loop import scores_of
from relax.masks import Block
from relax.methods.base import Maps, Method, Problem, budget
from relax.seeding import seeded

PER_EVAL = 16
"""Coalitions that Captum hands over at a time."""


def kernel_shap(problem: Problem, *, n_samples: int = 1000) -> Maps:
    """Shapley values of the units by weighted regression (Lundberg & Lee 2017).

    Args:
        problem: the input.
        n_samples: coalitions.
    """
    return _game(problem, "KernelShap", n_samples)


def lime(problem: Problem, *, n_samples: int = 1000, alpha: float = 0.0001) -> Maps:
    """Coefficients of a sparse linear model of the score in the units (Ribeiro et al. 2016).

    Args:
        problem: the input.
        n_samples: perturbed inputs.
        alpha: weight of the lasso's penalty, in units of the score.
    """
    captum = require("captum", extra="methods")
    from captum._utils.models.linear_model import SkLearnLasso

    del captum
    return _game(problem, "Lime", n_samples, interpretable_model=SkLearnLasso(alpha=alpha))


def shapley_sampling(problem: Problem, *, n_samples: int = 20) -> Maps:
    """Shapley values of the units by sampling permutations (Castro et al. 2009).

    Args:
        problem: the input.
        n_samples: permutations; each costs a forward a unit.
    """
    return _game(problem, "ShapleyValueSampling", n_samples)


def occlusion(problem: Problem, *, window: int | str | None = None, stride: int | None = None) -> Maps:
    """Fall of the score when a sliding window is removed, averaged over windows (Zeiler & Fergus 2014).

    Args:
        problem: the input.
        window: side of the window in pixels of the encoder's input, by default a seventh of the shorter side; or
            ``"units"``: each unit of the masks (cell, patch, superpixel) is removed in turn.
        stride: step in pixels; by default half the window.
    """
    if window == "units":
        return _one_by_one(problem)
    captum = require("captum.attr", extra="methods")
    x, background = problem.masked.tensor, problem.masked.background
    side = min(x.shape[-2:])
    window = max(1, round(side / 7)) if window is None else window
    if not isinstance(window, int) or not 1 <= window <= side:
        raise ArgumentError(f"expected `window` to be 'units' or from 1 to {side}, the shorter side, got {window!r}")
    stride = max(1, window // 2) if stride is None else stride
    if not 1 <= stride <= window:
        raise ArgumentError(f"expected `stride` from 1 to {window}, the window, got {stride!r}")
    channels = x.shape[0]
    values = captum.Occlusion(lambda batch: _score(problem, batch)).attribute(
        x[None],
        sliding_window_shapes=(channels, window, window),
        strides=(channels, stride, stride),
        baselines=background[None],
        perturbations_per_eval=PER_EVAL,
    )
    problem.session.check_finite()
    # the window covers all channels, so that all have the same value
    return Maps(values[0].mean(0).cpu().double().numpy(), signed=True)


def _one_by_one(problem: Problem) -> Maps:
    """Fall of the score when each unit of the masks is removed alone, the units at their middle placement."""
    units = problem.masked.units
    bits = torch.cat([torch.ones(1, units.n_units), 1 - torch.eye(units.n_units)])
    block = Block(bits, units.middle()).to(problem.masked.tensor.device)
    scores = scores_of(problem.session, problem.masked, problem.reference, block).cpu().double()
    problem.session.check_finite()
    return Maps(units.spread((scores[0] - scores[1:]).to(block.bits.device)).cpu().numpy(), signed=True)


def _game(problem: Problem, kind: str, n_samples: int, **options: Any) -> Maps:
    captum = require("captum.attr", extra="methods")
    require("sklearn", extra="methods")
    if n_samples < 1:
        raise ArgumentError(f"expected `n_samples` to be a positive integer, got {n_samples!r}")
    units = problem.masked.units
    device = problem.masked.tensor.device
    placement = units.middle().to(device)

    def play(bits: Tensor) -> Tensor:
        block = Block(bits.float().view(-1, units.n_units), placement)
        return scores_of(problem.session, problem.masked, problem.reference, block)

    everyone = torch.ones(1, units.n_units, device=device)
    with seeded(problem.seed, device):
        values = getattr(captum, kind)(play, **options).attribute(
            everyone, baselines=torch.zeros_like(everyone), n_samples=n_samples, perturbations_per_eval=PER_EVAL
        )
    problem.session.check_finite()
    return Maps(units.spread(values[0].double()).cpu().numpy(), signed=True, n_masks=n_samples)


def _score(problem: Problem, batch: Tensor) -> Tensor:
    """Scores in batches of the size that the session found best."""
    return problem.session.run(
        len(batch), batch.shape[1:], lambda rows: problem.reference.score(problem.session(batch[rows]))
    )


UNIT_METHODS = (
    Method(
        "occlusion",
        "fall of the score when a sliding window is removed",
        "forwards",
        "one a window + 2",
        "Zeiler & Fergus, ECCV 2014",
        occlusion,
    ),
    Method(
        "kernel-shap",
        "Shapley values of the units of the masks, by weighted regression",
        "forwards",
        "n_samples + 1",
        "Lundberg & Lee, 2017",
        kernel_shap,
        budget=budget("n_samples"),
    ),
    Method(
        "lime",
        "sparse linear model of the score in the units of the masks",
        "forwards",
        "n_samples + 1",
        "Ribeiro et al., 2016",
        lime,
        budget=budget("n_samples"),
    ),
    Method(
        "shapley-sampling",
        "Shapley values of the units of the masks, by permutations",
        "forwards",
        "n_samples * n_units + 2",
        "Castro et al., 2009",
        shapley_sampling,
        budget=lambda forwards, n_units: {"n_samples": max(1, forwards // n_units)},
    ),
)
