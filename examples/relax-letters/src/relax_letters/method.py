"""The method: remove one unit, see how far the score falls."""

from __future__ import annotations

from dataclasses import dataclass

import torch

import relax


@dataclass(frozen=True)
class LeaveOneOut(relax.Method):
    """Fall of the score when units are removed and all others are kept.

    Args:
        together: consecutive units that are removed together; a unit has the mean fall of the runs it is in.
    """

    together: int = 1

    name = "leave-one-out"
    summary = "fall of the score when each unit is removed alone"
    cost = "one a unit + 2"
    source = "an example of a method from outside"

    def check(self) -> None:
        if self.together < 1:
            raise relax.ArgumentError(f"expected `together` to be a positive integer, got {self.together!r}")

    def run(self, problem: relax.Problem) -> relax.Maps:
        perturbed, session = problem.perturbed, problem.session
        units = perturbed.units
        size = min(self.together, units.n_units)
        removed = torch.zeros(units.n_units - size + 1, units.n_units)
        for start in range(len(removed)):
            removed[start, start : start + size] = 1
        bits = torch.cat([torch.ones(1, units.n_units), 1 - removed])  # the first mask keeps everything
        representations = perturbed.encode(session, relax.Block(bits, units.middle()))
        scores = problem.reference.score(representations).cpu()
        session.check_finite()
        falls = scores[0] - scores[1:]
        of_units = removed.to(falls).T @ falls / removed.sum(0)
        return relax.Maps(units.spread(of_units.to(session.device)).cpu().numpy(), signed=True)
