"""Run an encoder's forward passes in PyTorch."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any

import torch
from torch import Tensor

from relax._support.warning import warn
from relax.encoders.failures import describe_batch, failure_of
from relax.encoders.like import EncoderLike
from relax.encoders.models import lock_of
from relax.encoders.precision import PRECISIONS
from relax.errors import EncoderError, InputError, RelaxError
from relax.modalities.batches import Batch, n_rows, take, to_device


class Forward:
    """Encodes batches in PyTorch, in any precision.

    Args:
        setup: the :class:`relax.encoders.setup.Setup` of the encoder.
    """

    def __init__(self, setup: Any) -> None:
        self.setup = setup
        self.encoder: EncoderLike = setup.encoder
        self.device: torch.device = setup.device

    def __call__(self, batch: Batch, precision: str) -> Tensor:
        """Encode all rows at once, or one by one if the encoder does not support batches."""
        if self.setup.one_by_one:
            return self._rows(batch, precision)
        try:
            return self._forward(batch, precision)
        except (InputError, EncoderError):
            if n_rows(batch) < 2:
                raise
            try:
                representations = self._rows(batch, precision)
            except (InputError, EncoderError):
                representations = None
            if representations is None or len(representations) != n_rows(batch):
                raise
        self.setup.one_by_one = True
        warn(f"encoder {self.encoder.name!r} takes one input at a time, not a batch; calling it once per input")
        return representations

    def _rows(self, batch: Batch, precision: str) -> Tensor:
        """Encode the rows one by one."""
        rows = range(n_rows(batch))
        return torch.cat([self._forward(take(batch, slice(k, k + 1)), precision) for k in rows])

    def _forward(self, batch: Batch, precision: str) -> Tensor:
        windows = self.encoder.modality.windows(batch)
        if windows is None:
            return self._whole(batch, precision)
        size, n = n_rows(batch), n_rows(windows.batch)  # as many windows at a time as inputs would have been
        chunks = [take(windows.batch, slice(start, start + size)) for start in range(0, n, size)]
        joined: Tensor = windows.joined(torch.cat([self._whole(chunk, precision) for chunk in chunks]))
        return joined

    def _whole(self, batch: Batch, precision: str) -> Tensor:
        batch = to_device(batch, self.device, self.encoder.dtype)
        if isinstance(batch, Tensor):
            if batch.ndim == 4:
                batch = batch.contiguous(memory_format=torch.channels_last)
            if batch.requires_grad:
                batch = batch.clone()  # not a leaf, so that the encoder may modify it in place
        with self._autocast(precision), lock_of(self.encoder.model):
            output = self._call_model(batch)
        attended = self.encoder.modality.attended(batch)
        representations = self.encoder.pooling(output, n_rows(batch), attended).to(self.device, torch.float32)
        return representations if torch.is_grad_enabled() else representations.detach()

    def _call_model(self, batch: Batch) -> Any:
        """Output of the model; its exceptions become one-line errors."""
        try:
            if not self.setup.needs_gradients:
                return self.encoder.modality.call(self.encoder.model, batch)
            with torch.enable_grad():
                return self.encoder.modality.call(self.encoder.model, batch)
        except (torch.OutOfMemoryError, RelaxError, KeyboardInterrupt):
            raise
        except Exception as error:
            if "does not require grad" in str(error) and not (self.setup.needs_gradients or torch.is_grad_enabled()):
                self.setup.needs_gradients = True  # the model differentiates inside its forward
                return self._call_model(batch)
            raise failure_of(self.encoder.name, describe_batch(batch), error) from error

    def _autocast(self, precision: str) -> AbstractContextManager[None]:
        dtype = PRECISIONS["float32" if precision == "auto" else precision]
        if dtype is None:
            return torch.autocast(self.device.type, enabled=False)
        return torch.autocast(self.device.type, dtype=dtype)
