"""Precision: bfloat16 where the processor computes in it, guarded against float32."""

from __future__ import annotations

import torch
from torch import Tensor

from relax.errors import ArgumentError

PRECISIONS = {"float32": None, "bfloat16": torch.bfloat16, "float16": torch.float16}

TOLERANCE = 0.06
"""Largest low-precision error of representations, beside how much they differ among each other, that ``"auto"``
accepts."""


def check_precision(precision: str) -> str:
    """Raise unless ``precision`` is ``"auto"`` or one that can be computed in."""
    if precision != "auto" and precision not in PRECISIONS:
        raise ArgumentError(f"expected `precision` to be auto, {', '.join(PRECISIONS)}, got {precision!r}")
    return precision


def fast_precision(device: torch.device) -> str:
    """The precision that is worth trying on a device: bfloat16 where there are instructions for it."""
    if device.type == "cuda":
        native = torch.cuda.is_bf16_supported(including_emulation=False)
    elif device.type == "cpu":
        capabilities = torch.cpu.get_capabilities() if hasattr(torch.cpu, "get_capabilities") else {}
        native = bool(capabilities.get("avx512_bf16") or capabilities.get("amx_bf16") or capabilities.get("arm_bf16"))
    else:
        native = False
    return "bfloat16" if native else "float32"


def error_to_spread(exact: Tensor, fast: Tensor) -> float:
    """``√(Σ ‖fast_n − exact_n‖² / Σ ‖exact_n − mean‖²)``: noise beside what tells the rows apart.

    Args:
        exact: ``(N, D)``.
        fast: the same in a low precision.

    Returns:
        Infinite where fast rows are not finite, or the exact ones do not differ.
    """
    exact, fast = exact.double().cpu(), fast.double().cpu()
    spread = (exact - exact.mean(0)).square().sum()
    ratio = ((fast - exact).square().sum() / spread).sqrt()
    return float(ratio.nan_to_num(nan=float("inf"), posinf=float("inf")))
