"""What a model says when it fails, in one line, with advice only where its words give reason for it."""

from __future__ import annotations

import re

import torch
from torch import Tensor

from relax.errors import EncoderError, InputError, RelaxError, first_line
from relax.modalities.batches import Batch, shapes

OF_INPUT = re.compile(
    r"shape|size|channel|dimension|mat1|expected input|dtype|scalar type|out of bounds|out of range|too (small|short)|"
    r"invalid combination of arguments|positional argument|unexpected keyword",
    re.IGNORECASE,
)
"""Words of models that were given an input of another kind than they were made for."""

OF_DEVICE = re.compile(r"CUDA|cuDNN|cuBLAS|HIP error|MPS|device-side", re.IGNORECASE)


def failure_of(name: str, batch: str, error: BaseException) -> RelaxError:
    """The error to raise for one that a model raised.

    Args:
        name: of the encoder.
        batch: what it was called with.
        error: what it raised.
    """
    said = first_line(error)[:300]
    kind = type(error).__name__
    words = said if isinstance(error, (RuntimeError, ValueError)) else f"{kind}: {said}"
    if isinstance(error, torch.cuda.CudaError) or (isinstance(error, RuntimeError) and OF_DEVICE.search(said)):
        return EncoderError(f"encoder {name!r} failed on its device: {words}; the process may have to be started again")
    if OF_INPUT.search(said):
        return InputError(
            f"encoder {name!r} cannot encode an input of {batch}: {words}; give it inputs of the size and type that it "
            "was made for"
        )
    return EncoderError(f"encoder {name!r} cannot encode an input of {batch}: {words}")


def described(batch: Batch) -> str:
    """The shape of one input, for messages."""
    if isinstance(batch, Tensor):
        return f"shape {tuple(batch.shape[1:])}"
    return ", ".join(map(str, shapes(batch)))
