"""Any attribution method as a Quantus ``explain_func``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from relax.encoders import Encoder
from relax.explainer import Explainer
from relax.methods import Method, ensure

ExplainFunc = Callable[..., np.ndarray]


def explain_func(method: str | Method = "relax-regression", **options: Any) -> ExplainFunc:
    """Wrap a method as an explanation function for Quantus.

    Use it as ``quantus.evaluate(..., xai_methods={"relax": explain_func("relax")}, explain_func_kwargs={})`` or
    ``metric(..., explain_func=explain_func("relax"))``.

    Args:
        method: a name from ``relax list methods``, or a method instance.
        options: further arguments of :class:`relax.Explainer`.

    Returns:
        ``(model, inputs, targets, **kwargs) -> (N, 1, H, W)`` importance maps. Targets are ignored. ``pool=`` and
        ``patch=`` go to :class:`relax.Encoder`, ``device=`` selects the device, other keyword arguments are ignored.

    Raises:
        UnknownNameError: there is no such method.
    """
    name = ensure(method).name  # fail early on an unknown name

    def run(model: Any, inputs: np.ndarray, targets: Any = None, **kwargs: Any) -> np.ndarray:
        encoder_options = {name: kwargs[name] for name in ("pool", "patch") if name in kwargs}
        encoder = model if isinstance(model, Encoder) else Encoder(model, **encoder_options)
        tensors = torch.as_tensor(np.asarray(inputs), dtype=torch.float32)
        device = kwargs.get("device") or "auto"
        explainer = Explainer(encoder, method=method, device=device, **options)
        return np.stack([e.importance for e in explainer.stream(tensors)])[:, None]

    run.__name__ = name
    return run
