"""Precision: bfloat16 where the hardware supports it, checked against float32."""

from __future__ import annotations

import torch
from torch import Tensor

from relax.errors import ArgumentError

PRECISIONS = {"float32": None, "bfloat16": torch.bfloat16, "float16": torch.float16}

TOLERANCE = 0.06
"""Largest error of low-precision representations, relative to their spread, that ``"auto"`` accepts."""


def check_precision(precision: str) -> str:
    """Return ``precision`` if it is ``"auto"`` or a supported one.

    Raises:
        ArgumentError: it is neither.
    """
    if precision != "auto" and precision not in PRECISIONS:
        raise ArgumentError(f"expected `precision` to be one of auto, {', '.join(PRECISIONS)}, got {precision!r}")
    return precision


def fast_precision(device: torch.device) -> str:
    """Fastest precision to try on a device: bfloat16 if it has native instructions, else float32."""
    if device.type == "cuda":
        native = torch.cuda.is_bf16_supported(including_emulation=False)
    elif device.type == "cpu":
        capabilities = torch.cpu.get_capabilities() if hasattr(torch.cpu, "get_capabilities") else {}
        native = bool(capabilities.get("avx512_bf16") or capabilities.get("amx_bf16") or capabilities.get("arm_bf16"))
    else:
        native = False
    return "bfloat16" if native else "float32"


def error_to_spread(exact: Tensor, fast: Tensor) -> float:
    """Rounding error relative to the spread of the rows, ``√(Σ ‖fast_n − exact_n‖² / Σ ‖exact_n − mean‖²)``.

    Args:
        exact: ``(N, D)`` float32 representations.
        fast: ``(N, D)``, the same inputs encoded in low precision.

    Returns:
        The ratio; infinite if ``fast`` is not finite or the exact rows are identical.
    """
    exact, fast = exact.double().cpu(), fast.double().cpu()
    spread = (exact - exact.mean(0)).square().sum()
    ratio = ((fast - exact).square().sum() / spread).sqrt()
    return float(ratio.nan_to_num(nan=float("inf"), posinf=float("inf")))
