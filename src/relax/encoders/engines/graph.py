"""Export of an encoder to an ONNX graph, and the reasons not to."""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable, Mapping
from typing import Any
from unittest.mock import patch

import torch
from torch import Tensor, nn

from relax.encoders.models import lock_of

OPSET = 17
"""Version of ONNX's operators: the first with layer norms, and read by all supported engines."""

ROWS = 2
"""Rows of the batch that is traced; other numbers of rows are what the check against PyTorch encodes."""

Fingerprint = tuple[Any, ...]


class Represented(nn.Module):
    """A model and the pooling of its outputs as one module.

    Args:
        model: the encoder's model.
        represent: maps the model's input to ``(N, D)``.
    """

    def __init__(self, model: nn.Module, represent: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.model = model
        self.represent = represent
        self.training = False  # only here: the exporter restores the mode it finds, in all submodules

    def forward(self, batch: Tensor) -> Tensor:
        """``(N, ...)`` inputs to ``(N, D)`` representations."""
        return self.represent(batch)


def exported(model: nn.Module, represent: Callable[[Tensor], Tensor], rows: Tensor) -> bytes:
    """Export a model with its pooling to an ONNX graph with a dynamic batch axis.

    Uses PyTorch's exporter by tracing: it takes a fraction of a second where that by ``torch.export`` takes ten.

    Args:
        model: the model, in eval mode.
        represent: maps the model's input to ``(N, D)``.
        rows: ``(ROWS, ...)`` example inputs.

    Returns:
        The serialised graph: input ``rows``, output ``representations``.

    Raises:
        Exception: anything that the model or the exporter raises.
    """
    file = io.BytesIO()
    export: Any = torch.onnx.export  # its annotations leave out what is not a path
    names = ("rows", "representations")
    # a failed export writes its whole graph to stdout, whatever verbose= says
    silent = patch.object(torch._C, "_jit_onnx_log", lambda *_: None, create=True)
    with warnings.catch_warnings(), silent, lock_of(model), torch.no_grad():
        warnings.simplefilter("ignore")  # the exporter's advice to its own users
        export(
            Represented(model, represent),
            (rows.clone(),),
            file,
            input_names=names[:1],
            output_names=names[1:],
            dynamic_axes={name: {0: "n"} for name in names},
            opset_version=OPSET,
            dynamo=False,
        )
    return file.getvalue()


def fingerprint(model: nn.Module) -> Fingerprint:
    """What a graph was exported from: the modules, and place and version of every parameter and buffer.

    Changes when weights are replaced or modified in place, other than through ``.data``.
    """
    tensors = (*model.parameters(), *model.buffers())
    return (
        *(id(module) for module in model.modules()),
        *((tensor.data_ptr(), -1 if tensor.is_inference() else tensor._version) for tensor in tensors),
    )


def hook_tables(model: Any) -> tuple[Mapping[int, Any], ...]:
    """PyTorch's own tables of the hooks that see the model's forward passes; those of a graph would pass them by."""
    own = [table for module in model.modules() for table in (module._forward_hooks, module._forward_pre_hooks)]
    shared = nn.modules.module
    return (*own, shared._global_forward_hooks, shared._global_forward_pre_hooks)


def has_hooks(model: Any) -> bool:
    """Whether hooks see the model's forward passes."""
    return any(hook_tables(model))


def unexportable(model: Any) -> str | None:
    """Why a model cannot be exported, or ``None``."""
    if not isinstance(model, nn.Module):
        return f"it is a {type(model).__name__}, not an nn.Module"
    if isinstance(model, torch.jit.ScriptModule) or hasattr(model, "_orig_mod"):
        return "it is scripted or compiled"
    if not all(hasattr(module, "training") for module in model.modules()):
        return "it is an exported program"
    return "it has forward hooks" if has_hooks(model) else None


def megabytes(model: nn.Module) -> float:
    """Size of the parameters and buffers in 10⁶ bytes."""
    return sum(tensor.numel() * tensor.element_size() for tensor in (*model.parameters(), *model.buffers())) / 1e6
