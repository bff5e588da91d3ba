"""Runners: an exported graph in ONNX Runtime, or in OpenVINO."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import torch
from torch import Tensor

from relax._support.extras import require
from relax.encoders.engines.base import Runner

OPENVINO_PRECISIONS = {"float32": "f32", "bfloat16": "bf16"}


class OnnxRuntime:
    """A graph in ONNX Runtime, float32.

    Args:
        graph: serialised ONNX graph with one input and one output.
        precision: ``"float32"``.
        threads: number of CPU threads.
    """

    name = "onnxruntime"

    def __init__(self, graph: bytes, precision: str, threads: int) -> None:
        onnxruntime = require("onnxruntime", extra="cpu")
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 3  # errors
        self.precision = precision
        self._session = onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
        self._input = self._session.get_inputs()[0].name

    def __call__(self, batch: Tensor) -> Tensor:
        """Encode ``(N, ...)`` float32 to ``(N, D)`` float32."""
        return torch.from_numpy(self._session.run(None, {self._input: _array(batch)})[0])


class OpenVino:
    """A graph in OpenVINO.

    Args:
        graph: serialised ONNX graph with one input and one output.
        precision: ``"float32"`` or ``"bfloat16"``.
        threads: number of CPU threads.
    """

    name = "openvino"

    def __init__(self, graph: bytes, precision: str, threads: int) -> None:
        core = require("openvino", extra="cpu").Core()
        settings = {
            "INFERENCE_NUM_THREADS": threads,
            "INFERENCE_PRECISION_HINT": OPENVINO_PRECISIONS[precision],
            "NUM_STREAMS": 1,
        }
        self.precision = precision
        self._request: Any = core.compile_model(core.read_model(graph), "CPU", settings).create_infer_request()
        self._lock = threading.Lock()  # a request serves one thread at a time

    def __call__(self, batch: Tensor) -> Tensor:
        """Encode ``(N, ...)`` float32 to ``(N, D)`` float32."""
        with self._lock:
            output = self._request.infer([_array(batch)], share_inputs=True, share_outputs=True)[0]
            return torch.from_numpy(np.array(output, dtype=np.float32))


RUNNERS: dict[str, type[OnnxRuntime] | type[OpenVino]] = {"onnxruntime": OnnxRuntime, "openvino": OpenVino}


def runner(engine: str, graph: bytes, precision: str, threads: int) -> Runner:
    """Load a graph into an engine.

    Raises:
        MissingExtraError: the engine is not installed.
        Exception: anything that the engine raises.
    """
    return RUNNERS[engine](graph, precision, threads)


def _array(batch: Tensor) -> np.ndarray:
    return batch.detach().contiguous().numpy()
