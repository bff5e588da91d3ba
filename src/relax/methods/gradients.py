"""Gradient attributions of the score, computed by Captum; label-free.

By default the score is the dot product ``⟨f(x), f(x̃)⟩`` with x fixed, the label-free importance of Crabbé & van der
Schaar (ICML 2022, arXiv 2203.01928). Cosine similarity is unsuitable: at the input itself it is at its maximum, where
its gradient is zero.

Maps of images are signed sums over channels: in units of the score per unit of the input for plain gradients, and in
units of the score for attributions that multiply by the input. Magnitudes are sums of absolute values.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor

from relax._support.extras import require
from relax._support.seeding import generator
from relax.errors import ArgumentError
from relax.estimation.maps import Maps
from relax.methods import forwards_only
from relax.methods.base import Method
from relax.methods.problem import Problem
from relax.references.scoring import Scorer

CRABBE = "label-free: Crabbé & van der Schaar, ICML 2022"
PER_INPUT = "score per unit of input"

CHUNK = 8
"""Number of rows that Captum evaluates at a time."""


@dataclass(frozen=True)
class Gradient(Method):
    """Base class of methods that differentiate the score."""

    needs: ClassVar[str] = "gradients"
    cost: ClassVar[str] = "2 + 1 backward"
    similarity: ClassVar[str] = "dot"
    sample_cost: ClassVar[float] = 3.0


@dataclass(frozen=True)
class Saliency(Gradient):
    """Gradient magnitude ``Σ_c |∂s/∂x_c|`` (Simonyan et al. 2014)."""

    name = "saliency"
    summary = "Σ_c |∂s/∂x_c|"
    source = f"Simonyan et al., 2014; {CRABBE}"

    def run(self, problem: Problem) -> Maps:
        gradient = attribute(problem, lambda captum, scorer, x: captum.Saliency(scorer).attribute(x, abs=False))
        return Maps(_map(problem, gradient.abs()), measures={"importance": PER_INPUT})


@dataclass(frozen=True)
class InputXGradient(Gradient):
    """Gradient times difference from the fill b, ``Σ_c (x_c − b_c) ∂s/∂x_c`` (Shrikumar et al. 2016)."""

    name = "input-x-gradient"
    summary = "Σ_c (x_c − b_c) ∂s/∂x_c, with the fill as b"
    source = f"Shrikumar et al., 2016; {CRABBE}"

    def run(self, problem: Problem) -> Maps:
        gradient = attribute(problem, lambda captum, scorer, x: captum.Saliency(scorer).attribute(x, abs=False))
        difference = (problem.prepared.tensor - problem.perturbed.background).cpu().double()
        return Maps(_map(problem, difference * gradient), signed=True)


@dataclass(frozen=True)
class Noisy(Gradient):
    """Base class of methods that use gradients at noisy copies of the input.

    Args:
        n_samples: number of noisy copies, at least 2.
        noise: standard deviation of the noise as a fraction of the input's range, positive.
    """

    n_samples: int = 32
    noise: float = 0.15

    cost: ClassVar[str] = "n_samples + 1, n_samples backwards"
    samples: ClassVar[str | None] = "n_samples"

    def check(self) -> None:
        if self.n_samples < 2:
            raise ArgumentError(f"expected `n_samples` to be at least 2, got {self.n_samples!r}")
        if not self.noise > 0:
            raise ArgumentError(f"expected `noise` to be positive, got {self.noise!r}")

    def moments(self, problem: Problem) -> tuple[Tensor, Tensor]:
        """Mean and variance of the gradient over noisy copies, each of the input's shape, float64 on the CPU."""
        draws = torch.Generator().manual_seed(problem.seed)
        variances: list[Tensor] = []

        def mean_gradient(captum: Any, scorer: Scorer, x: Tensor) -> Tensor:
            method = captum.Saliency(scorer)
            deviation = self.noise * _range(x)
            total, squares = torch.zeros_like(x[0], dtype=torch.float64), torch.zeros_like(x[0], dtype=torch.float64)
            for start in range(0, self.n_samples, CHUNK):
                rows = x.detach().expand(min(CHUNK, self.n_samples - start), *x.shape[1:])
                noisy = torch.normal(rows.cpu(), deviation, generator=draws).to(rows.device)
                gradients = method.attribute(noisy.requires_grad_(), abs=False).detach().double()
                total += gradients.sum(0)
                squares += gradients.square().sum(0)
            mean = total / self.n_samples
            biased = (squares / self.n_samples - mean.square()).clamp_min(0)
            variances.append((biased * self.n_samples / (self.n_samples - 1)).cpu())
            return mean[None]

        return attribute(problem, mean_gradient), variances[0]


@dataclass(frozen=True)
class SmoothGrad(Noisy):
    """Magnitude of the mean gradient over noisy copies of the input (Smilkov et al. 2017)."""

    name = "smoothgrad"
    summary = "Magnitude of the gradient averaged over noisy copies of the input"
    source = f"Smilkov et al., 2017; {CRABBE}"

    def run(self, problem: Problem) -> Maps:
        mean, variance = self.moments(problem)
        error = torch.from_numpy(_map(problem, variance / self.n_samples)).sqrt().numpy()
        measures = {"importance": PER_INPUT, "uncertainty": "variance of the gradient", "standard_error": PER_INPUT}
        return Maps(
            _map(problem, mean.abs()),
            _map(problem, variance),
            error,
            measures,
            n_masks=self.n_samples,
            degrees_of_freedom=self.n_samples - 1,
        )


@dataclass(frozen=True)
class VarGrad(Noisy):
    """Variance of the gradient over noisy copies of the input, summed over channels (Adebayo et al. 2018)."""

    name = "vargrad"
    summary = "Variance of the gradient over noisy copies of the input, summed over channels"
    source = f"Adebayo et al., 2018; {CRABBE}"

    def run(self, problem: Problem) -> Maps:
        _, variance = self.moments(problem)
        measures = {"importance": "variance of the gradient"}
        return Maps(_map(problem, variance), measures=measures, n_masks=self.n_samples)


@dataclass(frozen=True)
class IntegratedGradients(Gradient):
    """Mean gradient on the line from the fill to the input, times the difference (Sundararajan et al. 2017).

    Args:
        n_steps: number of points on the line.
    """

    n_steps: int = 32

    name = "integrated-gradients"
    summary = "Gradients along the straight line from the fill to the input, times the difference"
    cost = "n_steps + 1, n_steps backwards"
    source = f"Sundararajan et al., 2017; {CRABBE}"
    samples = "n_steps"

    def run(self, problem: Problem) -> Maps:
        baseline = problem.perturbed.background[None]

        def integrate(captum: Any, scorer: Scorer, x: Tensor) -> Tensor:
            method = captum.IntegratedGradients(scorer)
            attribution: Tensor = method.attribute(x, baseline, n_steps=self.n_steps, internal_batch_size=CHUNK)
            return attribution

        return Maps(_map(problem, attribute(problem, integrate)), signed=True)


@dataclass(frozen=True)
class GradientShap(Gradient):
    """Mean gradient at random points between fill and noisy input, times the difference (Lundberg & Lee 2017).

    Args:
        n_samples: number of random points.
        noise: standard deviation of the noise as a fraction of the input's range.
    """

    n_samples: int = 32
    noise: float = 0.1

    name = "gradient-shap"
    summary = "Expected gradients at random points between the fill and the noisy input"
    cost = "n_samples + 1, n_samples backwards"
    source = f"Lundberg & Lee, 2017; {CRABBE}"
    samples = "n_samples"

    def run(self, problem: Problem) -> Maps:
        baseline = problem.perturbed.background[None]
        draws = generator(problem.seed, 0)

        def expected(captum: Any, scorer: Scorer, x: Tensor) -> Tensor:
            method = captum.Saliency(scorer)
            deviation = self.noise * _range(x)
            total = torch.zeros_like(x)
            for start in range(0, self.n_samples, CHUNK):
                rows = x.detach().expand(min(CHUNK, self.n_samples - start), *x.shape[1:])
                noisy = torch.normal(rows.cpu(), deviation, generator=draws).to(rows.device)
                fractions = torch.rand(len(rows), *(1,) * (x.ndim - 1), generator=draws).to(rows.device)
                points = (baseline + fractions * (noisy - baseline)).requires_grad_()
                gradients = method.attribute(points, abs=False).detach()
                total = total + ((noisy - baseline) * gradients).sum(0, keepdim=True)
            return total / self.n_samples

        return Maps(_map(problem, attribute(problem, expected)), signed=True, n_masks=self.n_samples)


def attribute(problem: Problem, how: Callable[[Any, Scorer, Tensor], Tensor]) -> Tensor:
    """Run a Captum attribution of the score.

    Args:
        problem: the input, and everything needed to explain it.
        how: computes the attribution from ``captum.attr``, the score as a module, and the input as a batch of one.

    Returns:
        Attribution of the input's shape, float64 on the CPU.

    Raises:
        MissingExtraError: Captum is not installed.
        ArgumentError: the score has no gradient, or its gradient is zero.
    """
    captum = require("captum.attr", extra="methods")
    reference = problem.reference
    scorer = Scorer(problem.session, reference, problem.encoder.model)
    x = problem.prepared.tensor[None].clone().requires_grad_()
    with torch.enable_grad(), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Setting (forward, )?backward hooks")  # Captum removes them
        try:
            result = how(captum, scorer, x)
        except RuntimeError as error:
            if "grad" not in str(error):
                raise
            raise ArgumentError(
                f"encoder {problem.encoder.name!r} or its reference gives no gradients; {forwards_only()}"
            ) from error
    problem.session.check_finite()
    result = result[0].detach().cpu().double()
    if not reference.constant and float(result.abs().max()) <= 1e-7 * reference.scale:
        raise ArgumentError(
            "the gradient of the score is zero at the input: cosine, RBF and distance are at their maximum if an input "
            "is compared with itself; use similarity='dot', another input (against=), or smoothgrad"
        )
    return result


def _map(problem: Problem, attribution: Tensor) -> Any:
    """Reduce an attribution of the input's shape to a map."""
    return problem.modality.to_map(attribution).numpy()


def _range(x: Tensor) -> float:
    """Largest minus smallest value of an input."""
    return float((x.max() - x.min()).detach())
