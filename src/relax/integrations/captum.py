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


class Relax(Attribution):  # type: ignore[misc]
    """RELAX in Captum's manner: shape in is shape out, and no target.

    Args:
        encoder: an :class:`relax.Encoder`, an ``nn.Module``, or any callable.

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
        """Attributions of the inputs' representations.

        Args:
            inputs: ``(N, C, H, W)``, model-ready.
            n_samples: masks an input; as many as it takes if not given.
            perturbations_per_eval: rows in a forward.
            show_progress: show a progress bar an input on stderr.
            map: ``"importance"``, ``"uncertainty"`` or ``"standard_error"``.
            options: of :func:`relax.explain`.

        Returns:
            ``(N, C, H, W)``: an input's map, the same for all its channels.
        """
        if not isinstance(inputs, Tensor) or inputs.ndim != 4:
            got = tuple(inputs.shape) if isinstance(inputs, Tensor) else type(inputs).__name__
            raise InputError(f"expected inputs of shape (N, C, H, W), got {got}")
        if map not in MAPS:
            raise ArgumentError(f"expected `map` to be one of {', '.join(MAPS)}, got {map!r}")
        explainer = Explainer(
            self.encoder,
            n_masks=n_samples,
            batch_size=perturbations_per_eval,
            progress=show_progress,
            **{"method": "relax", **options},
        )
        maps = np.stack([getattr(e, map) for e in explainer.stream(inputs)])
        return torch.from_numpy(maps)[:, None].to(inputs).expand_as(inputs).clone()

    def has_convergence_delta(self) -> bool:
        """RELAX has none."""
        return False
