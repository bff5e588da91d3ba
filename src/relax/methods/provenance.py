"""From maps to an Explanation with the provenance to reproduce it."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from relax._support.provenance import versions
from relax.estimation import designs
from relax.estimation.maps import Maps
from relax.estimation.stopping import Stopping
from relax.explanation import Explanation
from relax.methods import Method, Problem
from relax.modalities import Prepared
from relax.references import Against
from relax.references import similarity as similarity_
from relax.references.similarity import Similarity


def explanation_of(
    problem: Problem, prepared: Prepared, maps: Maps, representation: Tensor, settings: dict[str, Any]
) -> Explanation:
    """Build an Explanation from maps.

    Args:
        problem: the problem that the method solved.
        prepared: the input, on its original device.
        maps: the method's result.
        representation: ``(1, D)``, the representation of the unmasked input.
        settings: provenance from :func:`settings_of`.
    """
    measure = problem.reference.measure
    default_measures = {"importance": measure, "uncertainty": f"variance of the {measure}", "standard_error": measure}
    tensors = {str(name): value for name, value in prepared.inputs.items() if isinstance(value, Tensor)}
    return Explanation(
        importance=maps.importance,
        uncertainty=maps.uncertainty,
        standard_error=maps.standard_error,
        n_masks=maps.n_masks,
        n_blocks=maps.n_blocks,
        degrees_of_freedom=maps.degrees_of_freedom,
        reliability=maps.reliability,
        score=float(problem.reference.score(representation)),
        inputs={name: value.float().cpu().numpy().copy() for name, value in tensors.items()},
        presentation=problem.modality.kept(prepared.presentation),
        measures={**default_measures, **maps.measures},
        signed=maps.signed,
        neutral=maps.neutral,
        labels=problem.prepared.labels,
        spans=problem.prepared.spans,
        kind=type(problem.modality),
        representation=representation[0].float().cpu().numpy(),
        settings=settings,
    )


def settings_of(
    method: Method,
    problem: Problem,
    against: Against,
    similarity: str | Similarity,
    stopping: Stopping,
    seconds: float,
) -> dict[str, Any]:
    """JSON-serialisable provenance that reproduces the maps.

    Args:
        method: the configured method.
        problem: the problem that the method solved.
        against: what the input was compared with.
        similarity: the similarity used.
        stopping: the stopping rule used.
        seconds: duration of the run.
    """
    session, encoder = problem.session, problem.encoder
    fills = [fill.settings() for fill in problem.fills]
    masks = [kind.settings() for kind in method.kinds(problem)]
    options = method.options()
    return {
        "method": method.name,
        "encoder": encoder.settings(),
        "modality": encoder.modality.name,
        "input": encoder.modality.described(problem.prepared),
        "against": None if against.itself else against.settings(),
        "masks": masks[0] if len(masks) == 1 else masks,
        "fill": fills[0] if len(fills) == 1 else fills,
        "similarity": similarity_.name_of(similarity),
        "design": designs.name_of(problem.design),
        "stopping": stopping.settings() if method.takes_masks else None,
        "seed": problem.seed,
        "options": {name: value if _plain(value) else repr(value) for name, value in options.items()},
        "precision": session.precision,
        "engine": session.engine,
        "device": str(session.device),
        "batch_size": session.batch_size,
        "cost": {
            "forwards": session.forwards,
            "backwards": session.backwards,
            "probes": session.probes,
            "seconds": seconds,
        },
        "reproducible": {
            "similarity": isinstance(similarity, str),
            "fill": all(fill.reproducible for fill in problem.fills),
            "against": against.itself,
            "options": all(_plain(value) for value in options.values()),
        },
        "versions": versions(),
    }


def _plain(value: Any) -> bool:
    """Whether an option can be stored in JSON as it is."""
    return value is None or isinstance(value, (str, int, float))
