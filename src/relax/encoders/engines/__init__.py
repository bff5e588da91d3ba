"""Engines run an encoder's forward passes: PyTorch itself, or ONNX Runtime or OpenVINO on a CPU."""

from __future__ import annotations

from relax.encoders.engines.base import ENGINES, Runner, check_engine
from relax.encoders.engines.choice import Engines, Work

__all__ = ["ENGINES", "Engines", "Runner", "Work", "check_engine"]
