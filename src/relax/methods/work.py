"""How much a method is going to encode, and what it shows the session before."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch

from relax._support.seeding import generator
from relax.encoders import Work
from relax.methods.base import Method
from relax.methods.problem import Problem
from relax.modalities.batches import Batch
from relax.modalities.units import Block


def work_of(method: Method, problem: Problem) -> Work:
    """Number of forwards to expect, a low guess where it is not known, and why they must be PyTorch's.

    Args:
        method: the method.
        problem: the problem that it is going to solve.
    """
    method = getattr(method, "repeated", method)  # of REPEAT: the method that it repeats
    stopping, rows = problem.stopping, 0
    if method.takes_masks:
        rows = stopping.wanted if stopping.most == math.inf else stopping.wanted // 2
    elif method.samples is not None:
        rows = int(getattr(method, method.samples))
    inside = None if method.needs in ("forwards", "nothing") else f"method {method.name!r} needs {method.needs}"
    return Work(rows, inside or next((fill.needs for fill in problem.fills if fill.needs), None))


@dataclass(frozen=True)
class Perturbing(Method):
    """Base class of methods that remove units in their own ways."""

    def probe(self, problem: Problem, n: int) -> Batch:
        """The input with random halves of its units."""
        perturbed = problem.perturbed
        chances = torch.full((n, perturbed.units.n_units), 0.5)
        block = Block(torch.bernoulli(chances, generator=generator(0, 0)), perturbed.units.middle())
        return perturbed.fill.apply(perturbed.prepared, perturbed.units, block.to(problem.session.device))
