"""Names of engines, and the interface of a runner: an exported encoder in one of them."""

from __future__ import annotations

import sys
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any, Protocol, TypeVar

from torch import Tensor

from relax._support.extras import require
from relax.errors import ArgumentError, first_line

TORCH = "torch"

EXPORTED = {"onnxruntime": ("onnxruntime", "onnx"), "openvino": ("openvino", "onnx")}
"""Engines that run an exported graph, and the modules they need (extra: cpu)."""

ENGINES = ("auto", TORCH, *EXPORTED)
"""Valid values of ``engine=``."""

PRECISIONS_OF = {"onnxruntime": ("float32",), "openvino": ("float32", "bfloat16")}
"""Precisions of an exported graph in each engine."""


T = TypeVar("T")


class EngineFailure(Exception):
    """An export or an engine failed; PyTorch takes over."""


class Runner(Protocol):
    """An exported encoder, ready to run on a CPU; threads may share it.

    Attributes:
        name: name of the engine.
        precision: precision it computes in.
    """

    name: str
    precision: str

    def __call__(self, batch: Tensor) -> Tensor:
        """Encode ``(N, ...)`` float32 to ``(N, D)`` float32, both on the CPU."""


def check_engine(engine: str) -> str:
    """Return ``engine`` if it is a valid name and installed.

    Raises:
        ArgumentError: there is no such engine.
        MissingExtraError: it is not installed.
    """
    if engine not in ENGINES:
        raise ArgumentError(f"expected `engine` to be one of {', '.join(ENGINES)}, got {engine!r}")
    for module in EXPORTED.get(engine, ()):
        require(module, extra="cpu")
    return engine


def installed() -> tuple[str, ...]:
    """Names of the exporting engines whose modules are installed; imports none of them."""
    return tuple(name for name, modules in EXPORTED.items() if all(map(_exists, modules)))


def attempt(function: Callable[..., T], *arguments: Any) -> T:
    """Call something of an engine.

    Raises:
        EngineFailure: it raised; the message is the first line of the error.
    """
    try:
        return function(*arguments)
    except Exception as error:
        raise EngineFailure(first_line(error)[:200]) from error


def _exists(module: str) -> bool:
    return sys.modules[module] is not None if module in sys.modules else find_spec(module) is not None
