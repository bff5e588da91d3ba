"""Global sensitivity analysis of the score with respect to units: Sobol indices and HSIC."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
import torch
from scipy.stats import sobol_indices, uniform
from torch import Tensor

from relax._support.seeding import seeded
from relax.errors import ArgumentError
from relax.estimation.loop import scores_of
from relax.estimation.maps import Maps
from relax.methods.problem import Problem
from relax.methods.work import Perturbing
from relax.modalities.units import Block


@dataclass(frozen=True)
class Sobol(Perturbing):
    """Total Sobol index of each unit: its share of the score's variance, interactions included.

    Follows Fel et al. (NeurIPS 2021, arXiv 2111.04138): units fade to a degree in [0, 1] instead of being removed. Uses
    SciPy's Saltelli design on a scrambled Sobol sequence, Jansen's estimator, and bootstrap standard errors. Units stay
    at their central placement.

    Args:
        n_designs: number of samples of the design, a power of two of at least 2; the cost is
            ``n_designs * (n_units + 2)`` forwards.
    """

    n_designs: int = 16

    name = "sobol"
    summary = "total Sobol index of each unit: its share of the score's variance, interactions included"
    cost = "n_designs * (n_units + 2) + 1"
    source = "Fel et al., NeurIPS 2021"
    samples = "n_designs"

    def check(self) -> None:
        if self.n_designs < 2 or self.n_designs & (self.n_designs - 1):
            raise ArgumentError(f"expected `n_designs` to be a power of two of at least 2, got {self.n_designs!r}")

    def run(self, problem: Problem) -> Maps:
        units = problem.perturbed.units
        placement = units.middle()

        def score(degrees: np.ndarray) -> np.ndarray:
            block = Block(torch.from_numpy(np.ascontiguousarray(degrees.T)).float(), placement)
            scores = scores_of(problem.session, problem.perturbed, problem.reference, block)
            return scores.cpu().numpy()[None]

        uniforms = [uniform()] * units.n_units
        result = sobol_indices(func=score, n=self.n_designs, dists=uniforms, rng=problem.seed)
        problem.session.check_finite()
        with (
            warnings.catch_warnings(),
            seeded(problem.seed, torch.device("cpu")),
        ):  # its bootstrap uses the global state
            warnings.simplefilter("ignore")  # irrelevant: only the standard errors are used
            error = result.bootstrap(confidence_level=0.95, n_resamples=99).total_order.standard_error
        values = (torch.from_numpy(np.asarray(v, dtype=float)).flatten() for v in (result.total_order, error))
        importance, standard_error = (units.spread(v).cpu().numpy() for v in values)
        measure = "share of the score's variance"
        measures = {"importance": measure, "standard_error": measure}
        n_masks = self.n_designs * (units.n_units + 2)
        return Maps(
            importance,
            standard_error=standard_error,
            measures=measures,
            n_masks=n_masks,
            degrees_of_freedom=self.n_designs - 1,
        )

    def affordable(self, forwards: int, n_units: int) -> int:
        return 1 << max(1, (forwards // (n_units + 2)).bit_length() - 1)


@dataclass(frozen=True)
class Hsic(Perturbing):
    """Hilbert-Schmidt independence criterion between each unit's bit and the score (Novello et al., NeurIPS 2022).

    Uses a delta kernel on bits, and an RBF kernel on scores with the median distance as width. Values are non-negative,
    and 0 for a unit that does not affect the score. Units stay at their central placement.

    Args:
        n_samples: number of masks, at least 2; rounded up to whole blocks of the design.
    """

    n_samples: int = 1024

    name = "hsic"
    summary = "dependence between each unit's bit and the score"
    cost = "n_samples + 1"
    source = "Novello et al., NeurIPS 2022"
    samples = "n_samples"

    def check(self) -> None:
        if self.n_samples < 2:
            raise ArgumentError(f"expected `n_samples` to be at least 2, got {self.n_samples!r}")

    def run(self, problem: Problem) -> Maps:
        perturbed = problem.perturbed
        bits: list[Tensor] = []
        scores: list[Tensor] = []
        while sum(map(len, bits)) < self.n_samples:
            block = Block(perturbed.block(len(bits)).bits, perturbed.units.middle())
            scores.append(scores_of(problem.session, perturbed, problem.reference, block).cpu().double())
            bits.append(block.bits.double())
        problem.session.check_finite()
        values = hsic_of_bits(torch.cat(bits), torch.cat(scores))
        n_masks = sum(map(len, bits))
        return Maps(perturbed.units.spread(values).cpu().numpy(), measures={"importance": "HSIC"}, n_masks=n_masks)


def hsic_of_bits(bits: Tensor, scores: Tensor) -> Tensor:
    """HSIC of every unit, ``tr(K_u H L H) / (n − 1)²``.

    For the delta kernel on bits, ``H K_u H = ½ x xᵀ`` with x the centred signs of the bit, so the trace is a quadratic
    form in the kernel matrix L of the scores.

    Args:
        bits: zeros and ones, ``(n, U)`` float64.
        scores: ``(n,)`` float64.

    Returns:
        HSIC, ``(U,)`` float64.
    """
    distances = (scores[:, None] - scores[None]).abs()
    width = distances[distances > 0].median() if bool((distances > 0).any()) else distances.new_ones(())
    kernel = torch.exp(-distances.square() / (2 * width.square()))
    signs = 2 * bits - 1
    signs = signs - signs.mean(0)
    return 0.5 * (signs * (kernel @ signs)).sum(0) / (len(scores) - 1) ** 2
