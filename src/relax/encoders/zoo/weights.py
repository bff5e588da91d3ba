"""Weights from local files: safetensors, or torch files read with ``weights_only=True``; never unpickled."""

from __future__ import annotations

import pickle
from os import PathLike
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from relax.errors import EncoderError, first_line


def read_weights(path: str | PathLike[str]) -> dict[str, Tensor]:
    """The state dict in a file.

    Raises:
        EncoderError: no such file, or it holds anything but tensors.
    """
    path = Path(path)
    if not path.is_file():
        raise EncoderError(f"{path}: no such weights file")
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        state = torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, SafetensorError, RuntimeError, ValueError, EOFError, OSError) as error:
        raise EncoderError(
            f"{path}: not weights that can be read safely (safetensors, or tensors only): {first_line(error)}"
        ) from error
    for key in ("state_dict", "model"):  # the usual wrappings of checkpoints
        if isinstance(state, dict) and isinstance(state.get(key), dict):
            state = state[key]
    if not isinstance(state, dict) or not all(isinstance(value, Tensor) for value in state.values()):
        raise EncoderError(f"{path}: expected a mapping of names to tensors, got {type(state).__name__}")
    return state


def load_weights(model: nn.Module, path: str | PathLike[str], head: tuple[str, ...] = ()) -> None:
    """Put the weights in a file into a model.

    Args:
        model: the encoder; its classifier may have been removed.
        path: the file.
        head: beginnings of names that the file may have and the model may lack.

    Raises:
        EncoderError: the names or shapes do not fit.
    """
    state = read_weights(path)
    try:
        missing, unexpected = model.load_state_dict(state, strict=False)
    except RuntimeError as error:  # shapes differ
        reason = " ".join(str(error).split())[:200]
        raise EncoderError(f"{path}: the weights do not fit {type(model).__name__}: {reason}") from error
    wrong = [*missing, *(name for name in unexpected if not name.startswith(head))]
    if wrong:
        some = ", ".join(wrong[:3]) + (", ..." if len(wrong) > 3 else "")
        raise EncoderError(f"{path}: the weights do not fit {type(model).__name__}: {len(wrong)} names differ ({some})")
