"""One encoder at work: device, precision, memory layout and batch size settled, outputs checked."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Protocol

import torch
from torch import Tensor

from relax.encoders.batching import BatchSizer
from relax.encoders.failures import described, failure_of
from relax.encoders.models import in_eval_mode, lock_of, placed_on
from relax.encoders.pooling import Pooling
from relax.encoders.precision import PRECISIONS, TOLERANCE, error_to_spread, fast_precision
from relax.errors import EncoderError, InputError, RelaxError, RelaxWarning
from relax.modalities.base import Modality
from relax.modalities.batches import Batch, copied, first_tensor, n_rows, shapes, take, to_device

PROBES = 8
"""Inputs that are encoded in both precisions before a low one is used."""


class Works(Protocol):
    """What a session needs of an encoder."""

    name: str
    model: Callable[..., Any]
    modality: Modality
    pooling: Pooling
    batch_sizes: dict[tuple[Any, ...], int]

    @property
    def device(self) -> torch.device:
        """Where the model is."""

    @property
    def dtype(self) -> torch.dtype:
        """What the model computes in by itself."""


class Setup:
    """How an encoder is run, settled once for many inputs and shared by threads.

    Args:
        encoder: to be run.
        device: where.
        precision: ``"auto"`` until :meth:`Session.settle` has chosen one.
        batch_size: rows in a forward, or ``"auto"``.
    """

    def __init__(self, encoder: Works, device: torch.device, precision: str, batch_size: int | str) -> None:
        self.encoder = encoder
        self.device = device
        # a model that holds another type than float32 computes in its own
        self.precision = "float32" if encoder.dtype != torch.float32 and precision == "auto" else precision
        self.batch_size = batch_size
        self.sizers: dict[tuple[Any, ...], BatchSizer] = {}
        self.settling = threading.Lock()
        self.one_by_one = False
        self.needs_gradients = False
        BatchSizer(batch_size, device)  # refuses a wrong size at once
        if device.type == "meta":
            raise EncoderError(f"encoder {encoder.name!r} is on the meta device and has no weights; load them first")

    @contextmanager
    def placed(self) -> Iterator[None]:
        """The model stays on the device for as long as the context lasts."""
        with placed_on(self.encoder.model, self.device, self.encoder.device):
            yield

    @contextmanager
    def session(self) -> Iterator[Session]:
        """The encoder at work in a :meth:`ready` context."""
        with self.ready():
            yield Session(self)

    @contextmanager
    def ready(self) -> Iterator[None]:
        """The encoder ready for many batches: eval mode, device, no gradients; all put back at the end."""
        model = self.encoder.model
        with (
            placed_on(model, self.device, self.encoder.device),
            in_eval_mode(model),
            # the outer autocast keeps weights that inner ones have cast; it also shuts out one of the caller's
            torch.inference_mode(False),
            torch.no_grad(),
            torch.autocast(self.device.type, enabled=False),
        ):
            yield


class Session:
    """What methods call to encode; made by :meth:`relax.Encoder.session`, used by one thread.

    Attributes:
        forwards: rows encoded so far, probes not counted.
        backwards: those of them that gradients were taken through.
        probes: rows encoded to settle the precision.
    """

    def __init__(self, setup: Setup) -> None:
        self.setup = setup
        self.encoder = setup.encoder
        self.device = setup.device
        self.forwards = 0
        self.backwards = 0
        self.probes = 0
        self._sizer: BatchSizer | None = None
        self._finite = torch.zeros((), dtype=torch.int64, device=setup.device)

    @property
    def precision(self) -> str:
        """The precision in use, or ``"auto"`` until :meth:`settle` was called."""
        return self.setup.precision

    @property
    def batch_size(self) -> int:
        """The batch size in use."""
        return self._sizer.size if self._sizer else 1

    def settle(self, probe: Callable[[int], Batch]) -> None:
        """Choose the precision: a low one is kept if it gives the representations that float32 gives.

        Args:
            probe: from a number to at most as many rows of what will be encoded; asked for only if there is a choice.
        """
        with self.setup.settling:
            if self.setup.precision != "auto":
                return
            fast = fast_precision(self.device)
            if fast != "float32":
                rows = probe(PROBES)
                exact, quick = (self._encoded(copied(rows), precision) for precision in ("float32", fast))
                self.probes += 2 * n_rows(rows)
                if error_to_spread(exact, quick) > TOLERANCE:
                    fast = "float32"
            self.setup.precision = fast

    def encode(self, batch: Batch) -> Tensor:
        """A batch to ``(N, D)`` float32, in batches of the settled size."""
        return self.run(n_rows(batch), shapes(batch), lambda rows: self(take(batch, rows)))

    def run(self, n: int, key: tuple[Any, ...], step: Callable[[slice], Tensor]) -> Tensor:
        """Do ``n`` rows of work in batches of the best size.

        Args:
            n: rows.
            key: what the size depends on, such as the shape of an input; the encoder remembers the size under it.
            step: from a slice of the rows to their results.
        """
        known = self.encoder.batch_sizes
        full = (tuple(key), str(self.device), self.precision)
        auto = self.setup.batch_size == "auto"
        if full not in self.setup.sizers:
            self.setup.sizers[full] = BatchSizer(
                known.get(full, "auto") if auto else self.setup.batch_size, self.device
            )
        self._sizer = self.setup.sizers[full]
        result = self._sizer.run(n, step)
        if auto and self._sizer.settled:
            known[full] = self._sizer.size
        return result

    def __call__(self, batch: Batch) -> Tensor:
        """One forward: a batch to ``(N, D)`` float32; rows that are not finite are counted, not looked at."""
        representations = self._encoded(batch, self.precision)
        n, tensor = n_rows(batch), first_tensor(batch)
        self.forwards += n
        self.backwards += n if tensor is not None and tensor.requires_grad else 0
        self._finite += torch.isfinite(representations).all(1).sum()
        return representations

    @contextmanager
    def alone(self) -> Iterator[None]:
        """No other thread runs the model, for methods that put hooks on it or replace modules."""
        with lock_of(self.encoder.model):
            yield

    def check_finite(self) -> None:
        """Raise if any representation had a NaN or an infinite value (on a GPU this waits for it)."""
        bad = self.forwards - int(self._finite)
        if bad:
            raise EncoderError(
                f"encoder {self.encoder.name!r} returned NaN or infinite values for {bad} of {self.forwards} inputs "
                f"in {self.precision}; check its weights and its preprocessing"
                + ("" if self.precision == "float32" else ", or try precision='float32'")
            )

    def _encoded(self, batch: Batch, precision: str) -> Tensor:
        """All rows at once, or one by one where the encoder takes no more than one."""
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
        warnings.warn(
            f"encoder {self.encoder.name!r} takes one input at a time, not a batch; it is called once an input",
            RelaxWarning,
            stacklevel=2,
        )
        return representations

    def _rows(self, batch: Batch, precision: str) -> Tensor:
        """Each row by itself."""
        rows = range(n_rows(batch))
        return torch.cat([self._forward(take(batch, slice(k, k + 1)), precision) for k in rows])

    def _forward(self, batch: Batch, precision: str) -> Tensor:
        batch = to_device(batch, self.device, self.encoder.dtype)
        if isinstance(batch, Tensor):
            if batch.ndim == 4:
                batch = batch.contiguous(memory_format=torch.channels_last)
            if batch.requires_grad:
                batch = batch.clone()  # no leaf, so that the encoder may work in place
        with self._autocast(precision), lock_of(self.encoder.model):
            output = self._called(batch)
        representations = self.encoder.pooling(output, n_rows(batch)).to(self.device, torch.float32)
        return representations if torch.is_grad_enabled() else representations.detach()

    def _called(self, batch: Batch) -> Any:
        """The model's output; what goes wrong inside is one line that says what the model said."""
        try:
            if not self.setup.needs_gradients:
                return self.encoder.modality.call(self.encoder.model, batch)
            with torch.enable_grad():
                return self.encoder.modality.call(self.encoder.model, batch)
        except (torch.OutOfMemoryError, RelaxError, KeyboardInterrupt):
            raise
        except Exception as error:
            if "does not require grad" in str(error) and not (self.setup.needs_gradients or torch.is_grad_enabled()):
                self.setup.needs_gradients = True  # it differentiates inside
                return self._called(batch)
            raise failure_of(self.encoder.name, described(batch), error) from error

    def _autocast(self, precision: str) -> AbstractContextManager[None]:
        dtype = PRECISIONS["float32" if precision == "auto" else precision]
        if dtype is None:
            return torch.autocast(self.device.type, enabled=False)
        return torch.autocast(self.device.type, dtype=dtype)
