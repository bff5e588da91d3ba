"""Read weights from local files: safetensors, or torch files with ``weights_only=True``."""

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
    """Read the state dict in a file.

    Args:
        path: a safetensors file, or a torch file of tensors (a state dict, or a checkpoint that wraps one).

    Returns:
        Tensors by parameter name, on the CPU.

    Raises:
        EncoderError: the file does not exist, or holds anything but named tensors.
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
            f"{path}: not weights that can be read safely (safetensors or a torch file of tensors): {first_line(error)}"
        ) from error
    for key in ("state_dict", "model"):  # common checkpoint wrappers
        if isinstance(state, dict) and isinstance(state.get(key), dict):
            state = state[key]
    if not isinstance(state, dict) or not all(isinstance(value, Tensor) for value in state.values()):
        raise EncoderError(f"{path}: expected a mapping of names to tensors, got {type(state).__name__}")
    return state


def load_weights(model: nn.Module, path: str | PathLike[str], head: tuple[str, ...] = ()) -> None:
    """Load the weights in a file into a model.

    Args:
        model: the model; its classifier may have been removed.
        path: see :func:`read_weights`.
        head: prefixes of parameter names that the model may lack, such as its classifier's.

    Raises:
        EncoderError: the file cannot be read, or its names or shapes do not match the model's.
    """
    state = read_weights(path)
    try:
        missing, unexpected = model.load_state_dict(state, strict=False)
    except RuntimeError as error:  # shape mismatch
        reason = " ".join(str(error).split())[:200]
        raise EncoderError(f"{path}: the weights do not fit {type(model).__name__}: {reason}") from error
    mismatched = [*missing, *(name for name in unexpected if not name.startswith(head))]
    if mismatched:
        examples = ", ".join(mismatched[:3]) + (", ..." if len(mismatched) > 3 else "")
        raise EncoderError(
            f"{path}: the weights do not fit {type(model).__name__}: {len(mismatched)} names differ ({examples})"
        )


def check_folder(family: str, name: str) -> None:
    """Check that a name that can only be a folder is one.

    Args:
        family: prefix of the encoder's name.
        name: name on a hub, ``owner/model``, or a folder.

    Raises:
        EncoderError: there is no such folder.
    """
    path = Path(name).expanduser()
    if (name.startswith(("/", ".", "~")) or name.count("/") > 1) and not path.is_dir():
        raise EncoderError(f"{family}:{name}: no such folder")
