"""Turn errors raised inside a model into one-line errors, with advice where the message allows it."""

from __future__ import annotations

import re

import torch
from torch import Tensor

from relax.errors import EncoderError, InputError, RelaxError, first_line
from relax.modalities.batches import Batch, shapes

INPUT_ERROR = re.compile(
    r"shape|size|channel|dimension|mat1|expected input|dtype|scalar type|out of bounds|out of range|too (small|short)|"
    r"invalid combination of arguments|positional argument|unexpected keyword",
    re.IGNORECASE,
)
"""Matches messages of models that received an input of the wrong shape or type."""

DEVICE_ERROR = re.compile(r"CUDA|cuDNN|cuBLAS|HIP error|MPS|device-side", re.IGNORECASE)
"""Matches messages of failing accelerators."""


def failure_of(name: str, batch: str, error: BaseException) -> RelaxError:
    """Convert an exception raised by a model into one of ours.

    Args:
        name: name of the encoder.
        batch: description of its input, from :func:`describe_batch`.
        error: the exception.

    Returns:
        An InputError if the message points to the input, else an EncoderError.
    """
    message = first_line(error)[:300]
    reason = message if isinstance(error, (RuntimeError, ValueError)) else f"{type(error).__name__}: {message}"
    if isinstance(error, torch.cuda.CudaError) or (isinstance(error, RuntimeError) and DEVICE_ERROR.search(message)):
        return EncoderError(f"encoder {name!r} failed on its device: {reason}; you may have to restart the process")
    if INPUT_ERROR.search(message):
        return InputError(
            f"encoder {name!r} cannot encode an input of {batch}: {reason}; "
            "pass inputs of the size and type that it expects"
        )
    return EncoderError(f"encoder {name!r} cannot encode an input of {batch}: {reason}")


def describe_batch(batch: Batch) -> str:
    """Shape of one input of a batch, for error messages."""
    if isinstance(batch, Tensor):
        return f"shape {tuple(batch.shape[1:])}"
    if isinstance(batch, list) and "" in (item for item in batch if isinstance(item, str)):
        what = "texts, one of them empty" if len(batch) > 1 else "an empty text"
        return f"{what} (relax removes words, all of them, too: return a vector for '', or use fill='drawn')"
    described = getattr(batch, "described", None)
    return str(described) if described is not None else ", ".join(map(str, shapes(batch)))
