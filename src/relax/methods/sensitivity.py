"""Global sensitivity of the score to the units of the masks: Sobol indices and HSIC."""

from __future__ import annotations

import warnings

import numpy as np
import torch
from scipy.stats import sobol_indices, uniform
from torch import Tensor

from relax.errors import ArgumentError
from relax.loop import scores_of
from relax.masks import Block
from relax.methods.base import Maps, Method, Problem, budget


def sobol(problem: Problem, *, n_designs: int = 16) -> Maps:
    """Total Sobol index of each unit: its share of the score's variance, interactions included.

    Units are faded rather than removed: each is kept to a degree between 0 and 1 (Fel et al., NeurIPS 2021,
    arXiv 2111.04138). Saltelli's design on a scrambled Sobol sequence, Jansen's estimator, bootstrap errors, all
    SciPy's. Units stay at their middle placement.

    Args:
        problem: the input.
        n_designs: a power of two; it costs ``n_designs * (n_units + 2)`` forwards.
    """
    if n_designs < 2 or n_designs & (n_designs - 1):
        raise ArgumentError(f"expected `n_designs` to be a power of two of at least 2, got {n_designs!r}")
    units = problem.masked.units
    placement = units.middle()

    def play(degrees: np.ndarray) -> np.ndarray:
        block = Block(torch.from_numpy(np.ascontiguousarray(degrees.T)).float(), placement)
        return scores_of(problem.session, problem.masked, problem.reference, block).cpu().numpy()[None]

    result = sobol_indices(func=play, n=n_designs, dists=[uniform()] * units.n_units, rng=problem.seed)
    problem.session.check_finite()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about the intervals of units that nothing depends on; only the error is used
        error = result.bootstrap(confidence_level=0.95, n_resamples=99).total_order.standard_error
    values = (torch.from_numpy(np.asarray(v, dtype=float)).flatten() for v in (result.total_order, error))
    importance, standard_error = (units.spread(v).numpy() for v in values)
    n_masks = n_designs * (units.n_units + 2)
    shares = {"importance": "share of the score's variance", "standard_error": "share of the score's variance"}
    return Maps(importance, standard_error=standard_error, units=shares, n_masks=n_masks)


def hsic(problem: Problem, *, n_samples: int = 1024) -> Maps:
    """Hilbert-Schmidt independence criterion between each unit's bit and the score (Novello et al., NeurIPS 2022).

    Delta kernel on bits, RBF kernel on scores with the median distance as width. At least 0, and 0 for a unit that the
    score does not depend on. Units stay at their middle placement.

    Args:
        problem: the input.
        n_samples: masks, rounded up to whole blocks of the design.
    """
    if n_samples < 2:
        raise ArgumentError(f"expected `n_samples` to be at least 2, got {n_samples!r}")
    units = problem.masked.units
    bits: list[Tensor] = []
    scores: list[Tensor] = []
    while sum(map(len, bits)) < n_samples:
        drawn = problem.design.block(len(bits), units, problem.masked.masks.keep, problem.seed)
        block = Block(drawn.bits, units.middle())
        scores.append(scores_of(problem.session, problem.masked, problem.reference, block).cpu().double())
        bits.append(block.bits.double())
    problem.session.check_finite()
    values = hsic_of_bits(torch.cat(bits), torch.cat(scores))
    return Maps(units.spread(values).numpy(), units={"importance": "HSIC"}, n_masks=sum(map(len, bits)))


def hsic_of_bits(bits: Tensor, scores: Tensor) -> Tensor:
    """``tr(K_u H L H) / (n − 1)²`` for every unit u.

    With the delta kernel on a bit, ``H K_u H`` is ``½ x xᵀ`` for x the centred signs of the bit, so that the trace is a
    quadratic form in the kernel matrix L of the scores.

    Args:
        bits: ``(n, U)`` zeros and ones.
        scores: ``(n,)``.

    Returns:
        ``(U,)``.
    """
    distances = (scores[:, None] - scores[None]).abs()
    width = distances[distances > 0].median() if bool((distances > 0).any()) else distances.new_ones(())
    kernel = torch.exp(-distances.square() / (2 * width.square()))
    signs = 2 * bits - 1
    signs = signs - signs.mean(0)
    return 0.5 * (signs * (kernel @ signs)).sum(0) / (len(scores) - 1) ** 2


def _designs(forwards: int, n_units: int) -> dict[str, int]:
    return {"n_designs": 1 << max(1, (forwards // (n_units + 2)).bit_length() - 1)}


SENSITIVITY_METHODS = (
    Method(
        "sobol",
        "total Sobol index of each unit: its share of the score's variance, interactions included",
        "forwards",
        "n_designs * (n_units + 2) + 1",
        "Fel et al., NeurIPS 2021",
        sobol,
        budget=_designs,
    ),
    Method(
        "hsic",
        "dependence between each unit's bit and the score",
        "forwards",
        "n_samples + 1",
        "Novello et al., NeurIPS 2022",
        hsic,
        budget=budget("n_samples"),
    ),
)
