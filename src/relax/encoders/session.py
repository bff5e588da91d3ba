"""One encoder at work: device, precision, memory layout and batch size settled, outputs checked."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from relax.encoders.batching import BatchSizer
from relax.encoders.precision import PRECISIONS, TOLERANCE, error_to_spread, fast_precision
from relax.errors import EncoderError, InputError, first_line

if TYPE_CHECKING:
    from relax.encoders.base import Encoder

PROBES = 8
"""Inputs that are encoded in both precisions before a low one is used."""


class Session:
    """What the loop calls; made by :meth:`relax.Encoder.session`.

    Attributes:
        forwards: rows encoded so far, probes not counted.
        backwards: those of them that gradients were taken through.
        probes: rows encoded to settle the precision.
        precision: the precision in use, or ``"auto"`` until :meth:`settle` was called.
    """

    def __init__(self, encoder: Encoder, device: torch.device, precision: str, batch_size: int | str) -> None:
        self.encoder = encoder
        self.device = device
        self.forwards = 0
        self.backwards = 0
        self.probes = 0
        # a model that holds another type than float32 computes in its own
        self._own_type = encoder.dtype != torch.float32
        self.precision = "float32" if self._own_type and precision == "auto" else precision
        self._batch_size = batch_size
        self._sizer: BatchSizer | None = None
        self._finite = torch.zeros((), dtype=torch.int64, device=device)

    def settle(self, probe: Callable[[int], Tensor]) -> None:
        """Choose the precision: a low one is kept if it gives the representations that float32 gives.

        Args:
            probe: from a number to at most as many rows ``(N, C, H, W)`` of what will be encoded; asked for only if
                there is a choice.
        """
        if self.precision != "auto":
            return
        fast = fast_precision(self.device)
        if fast != "float32":
            rows = probe(PROBES)
            exact, quick = (self._forward(rows, precision) for precision in ("float32", fast))
            self.probes += 2 * len(rows)
            if error_to_spread(exact, quick) > TOLERANCE:
                fast = "float32"
        self.precision = fast

    def encode(self, batch: Tensor) -> Tensor:
        """``(N, C, H, W)`` to ``(N, D)`` float32, in batches of the settled size."""
        return self.run(len(batch), batch.shape[1:], lambda rows: self(batch[rows]))

    def run(self, n: int, shape: torch.Size, step: Callable[[slice], Tensor]) -> Tensor:
        """Do ``n`` rows of work in batches of the best size; the size is remembered by the encoder."""
        key = (tuple(shape), str(self.device), self.precision)
        if self._sizer is None:
            size = self.encoder.batch_sizes.get(key, "auto") if self._batch_size == "auto" else self._batch_size
            self._sizer = BatchSizer(size, self.device)
        result = self._sizer.run(n, step)
        if self._batch_size == "auto" and self._sizer.settled:
            self.encoder.batch_sizes[key] = self._sizer.size
        return result

    @property
    def batch_size(self) -> int:
        """The batch size in use."""
        return self._sizer.size if self._sizer else 1

    def __call__(self, batch: Tensor) -> Tensor:
        """One forward: ``(N, C, H, W)`` to ``(N, D)`` float32; not-finite rows are counted, not looked at."""
        representations = self._forward(batch, self.precision)
        self.forwards += len(batch)
        self.backwards += len(batch) if batch.requires_grad else 0
        self._finite += torch.isfinite(representations).all(1).sum()
        return representations

    def check_finite(self) -> None:
        """Raise if any representation had a NaN or an infinite value (on a GPU this waits for it)."""
        bad = self.forwards - int(self._finite)
        if bad:
            raise EncoderError(
                f"encoder {self.encoder.name!r} returned NaN or infinite values for {bad} of {self.forwards} inputs "
                f"in {self.precision}; check its weights and its preprocessing"
                + ("" if self.precision == "float32" else ", or try precision='float32'")
            )

    def _forward(self, batch: Tensor, precision: str) -> Tensor:
        batch = batch.to(self.device, self.encoder.dtype)
        if batch.ndim == 4:
            batch = batch.contiguous(memory_format=torch.channels_last)
        with self._autocast(precision):
            try:
                output = self.encoder.model(batch)
            except (RuntimeError, ValueError, AssertionError, IndexError, TypeError) as error:
                if isinstance(error, (torch.OutOfMemoryError, EncoderError, InputError)):
                    raise
                raise InputError(
                    f"encoder {self.encoder.name!r} cannot encode an input of shape {tuple(batch.shape[1:])}: "
                    f"{first_line(error)}; give it inputs of the size and type that it was made for"
                ) from error
        return self.encoder.pooling(output, len(batch)).to(self.device, torch.float32)

    def _autocast(self, precision: str) -> AbstractContextManager[None]:
        dtype = PRECISIONS["float32" if precision == "auto" else precision]
        if dtype is None:
            return torch.autocast(self.device.type, enabled=False)
        return torch.autocast(self.device.type, dtype=dtype)
