"""Every method as a Quantus ``explain_func``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from relax.encoders import Encoder
from relax.explainer import Explainer
from relax.methods import Method, ensure

ExplainFunc = Callable[..., np.ndarray]


def explain_func(method: str | Method = "relax", **options: Any) -> ExplainFunc:
    """A function that Quantus can call: ``quantus.evaluate(..., xai_methods={"relax": explain_func("relax")},
    explain_func_kwargs={})``, or ``metric(..., explain_func=explain_func("relax"))``.

    Args:
        method: a name from ``relax list methods``, or a method with its parameters.
        options: of :class:`relax.Explainer`.

    Returns:
        ``(model, inputs, targets, **kwargs) -> (N, 1, H, W)`` importance maps. Targets play no part; ``pool=`` and
        ``patch=`` among the keyword arguments are those of :class:`relax.Encoder`, ``device=`` is where to run, and
        what else Quantus hands over is left alone.
    """
    name = ensure(method).name  # an unknown name is said at once

    def run(model: Any, inputs: np.ndarray, targets: Any = None, **kwargs: Any) -> np.ndarray:
        about = {name: kwargs[name] for name in ("pool", "patch") if name in kwargs}
        encoder = model if isinstance(model, Encoder) else Encoder(model, **about)
        tensors = torch.as_tensor(np.asarray(inputs), dtype=torch.float32)
        device = kwargs.get("device") or "auto"
        explainer = Explainer(encoder, method=method, device=device, **options)
        return np.stack([e.importance for e in explainer.stream(tensors)])[:, None]

    run.__name__ = name
    return run
