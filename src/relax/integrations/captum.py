"""RELAX as a Captum attribution method."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from relax._support.extras import require
from relax._support.saved import MAPS
from relax.encoders import ensure
from relax.errors import ArgumentError, InputError
from relax.explainer import Explainer

Attribution: Any = require("captum.attr", extra="methods").Attribution


OWN = {"n_samples": "n_masks", "perturbations_per_eval": "batch_size", "show_progress": "progress"}
"""Captum's names of arguments of :class:`relax.Explainer`."""


class Relax(Attribution):  # type: ignore[misc]
    """RELAX behind Captum's ``Attribution`` interface: attributions have the input's shape, and there is no target.

    Args:
        encoder: a :class:`relax.Encoder`, an ``nn.Module``, or any callable.

    Example:
        >>> import torch
        >>> from relax.captum import Relax
        >>> inputs = torch.rand(2, 3, 28, 28)
        >>> Relax(torch.nn.Conv2d(3, 8, 3)).attribute(inputs, n_samples=256).shape
        torch.Size([2, 3, 28, 28])
    """

    def __init__(self, encoder: Any) -> None:
        self.encoder = ensure(encoder)
        super().__init__(self.encoder.model)

    def attribute(
        self,
        inputs: Tensor,
        n_samples: int | None = None,
        perturbations_per_eval: int | str = "auto",
        show_progress: bool = False,
        *,
        map: str = "importance",
        **options: Any,
    ) -> Tensor:
        """Attribute the inputs' representations.

        Args:
            inputs: ``(N, C, H, W)``, preprocessed for the model.
            n_samples: masks per input; adaptive if not given.
            perturbations_per_eval: rows per forward pass, or ``"auto"``.
            show_progress: show a progress bar per input on stderr.
            map: ``"importance"``, ``"uncertainty"`` or ``"standard_error"``.
            options: further arguments of :func:`relax.explain`.

        Returns:
            ``(N, C, H, W)``: each input's map, repeated over its channels.

        Raises:
            InputError: the inputs are not a ``(N, C, H, W)`` tensor.
            ArgumentError: ``map`` or an option is invalid.
        """
        if not isinstance(inputs, Tensor) or inputs.ndim != 4:
            got = tuple(inputs.shape) if isinstance(inputs, Tensor) else type(inputs).__name__
            raise InputError(f"expected inputs of shape (N, C, H, W), got {got}")
        if map not in MAPS:
            raise ArgumentError(f"expected `map` to be one of {', '.join(MAPS)}, got {map!r}")
        for own, name in OWN.items():
            if name in options:
                raise ArgumentError(f"expected `{own}`, Captum's name for `{name}`; got `{name}`")
        explainer = Explainer(
            self.encoder,
            n_masks=n_samples,
            batch_size=perturbations_per_eval,
            progress=show_progress,
            **options,
        )
        maps = np.stack([getattr(e, map) for e in explainer.stream(inputs)])
        return torch.from_numpy(maps)[:, None].to(inputs).expand_as(inputs).clone()

    def has_convergence_delta(self) -> bool:
        """Whether a convergence delta is available; always ``False`` for RELAX."""
        return False
