"""Run one encoder: choose precision, engine and batch size, and check the outputs."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from relax.encoders.batching import BatchSizer
from relax.encoders.engines.base import TORCH, EngineFailure, Runner, attempt
from relax.encoders.engines.choice import PROBES, Task, Work
from relax.encoders.engines.graph import ROWS, has_hooks, hook_tables
from relax.encoders.forward import Forward
from relax.encoders.models import lock_of
from relax.encoders.precision import TOLERANCE, error_to_spread, fast_precision
from relax.encoders.setup import Setup
from relax.errors import EncoderError
from relax.modalities.batches import Batch, copied, first_tensor, n_rows, shapes, take

UNCHECKED = 16
"""Forwards after which their representations are checked: one by one, that takes as long as applying the masks."""


class Session:
    """Encodes batches for a method; opened by :meth:`relax.Encoder.session` and used by one thread.

    Attributes:
        forwards: rows encoded so far, not counting probes.
        backwards: the number of these rows that require gradients.
        probes: rows encoded to choose the precision and the engine.
    """

    def __init__(self, setup: Setup) -> None:
        self.setup = setup
        self.encoder = setup.encoder
        self.device = setup.device
        self.forwards = 0
        self.backwards = 0
        self.probes = 0
        self._sizer: BatchSizer | None = None
        self._torch = Forward(setup)
        self._runner: Runner | None = None
        self._shape: tuple[int, ...] = ()
        self._decided = False
        self._waiting: tuple[Callable[[int], Batch], Work] | None = None
        self._hooks: Sequence[Any] | None = None
        self._finite = torch.zeros((), dtype=torch.int64, device=setup.device)
        self._counted = 0
        self._unchecked: list[Tensor] = []

    @property
    def precision(self) -> str:
        """The precision in use; ``"auto"`` until :meth:`settle` has been called."""
        return self.setup.precision if self._runner is None else self._runner.precision

    @property
    def engine(self) -> str:
        """The engine in use."""
        return TORCH if self._runner is None else self._runner.name

    @property
    def batch_size(self) -> int:
        """The batch size in use; 1 before the first batch."""
        return self._sizer.size if self._sizer else 1

    def settle(self, probe: Callable[[int], Batch]) -> None:
        """Choose precision and engine: use faster ones whose representations agree with PyTorch's in float32.

        Args:
            probe: maps a number to a batch of at most that many rows, taken from the inputs; called only if there is
                something to choose.
        """
        self.settle_precision(probe)
        if self._runner is None and not self._decided:
            self._settle_engine(probe, Work(0))

    def decide(self, probe: Callable[[int], Batch], work: Work) -> bool:
        """Choose the engine for the rest of the session, whose work is known.

        An engine that was not asked for by name waits until PyTorch's rate is known from actual work.

        Args:
            probe: as for :meth:`settle`.
            work: what is going to be encoded.

        Returns:
            Whether it is another one than before.
        """
        before, self._decided = self._runner, True
        self._settle_engine(probe, work)
        self.setup.trust.add(self._shape, self._runner)
        if self._runner is None and self.setup.engine == "auto" and work.inside is None:
            self._waiting = (probe, work)
        return self._runner is not before

    def resume(self, batch: Batch) -> bool:
        """Take the engine that an input of the same shape was checked with; whether there is one to rely on.

        Args:
            batch: the unmasked input.
        """
        if not isinstance(batch, Tensor) or self.setup.inside() is not None:
            return False
        shape = tuple(batch.shape[1:])
        runner = self.setup.trust.runner(shape)
        if runner is None or has_hooks(self.encoder.model):
            return False
        self._runner, self._shape, self._decided = runner, shape, True
        return True

    def _settle_engine(self, probe: Callable[[int], Batch], work: Work) -> None:
        if self.setup.engine == TORCH:
            return
        self._runner = self.encoder.engines.choose(self._task(probe, work))
        if self._runner is not None:
            self._shape = tuple(probe(1).shape[1:])  # type: ignore[union-attr]

    def settle_precision(self, probe: Callable[[int], Batch]) -> None:
        """Choose the precision, as :meth:`settle` does, and leave the engine for later."""
        with self.setup.settling:
            if self.setup.precision != "auto":
                return
            agreed = self.encoder.precisions.get(str(self.device))
            fast = agreed or fast_precision(self.device)
            if agreed is None and fast != "float32":
                rows = probe(PROBES)
                exact, low = (self._torch(copied(rows), precision) for precision in ("float32", fast))
                self.probes += 2 * n_rows(rows)
                if error_to_spread(exact, low) > TOLERANCE:
                    fast = "float32"
            self.setup.precision = self.encoder.precisions[str(self.device)] = fast

    def _task(self, probe: Callable[[int], Batch], work: Work) -> Task:
        setup, encoder = self.setup, self.encoder

        def encode(batch: Tensor, precision: str) -> Tensor:
            self.probes += len(batch)
            return self._torch(batch, precision)

        def represent(batch: Tensor) -> Tensor:
            return encoder.pooling(encoder.modality.call(encoder.model, batch), ROWS).float()

        work = Work(work.rows, work.inside or setup.inside())
        asked, precision = setup.asked, setup.precision
        return Task(encoder.model, represent, encode, probe, setup.engine, asked, precision, work, setup.note)

    def encode(self, batch: Batch) -> Tensor:
        """Encode ``N`` rows to ``(N, D)`` float32, in batches of the best size."""
        trimmed = self.encoder.modality.trimmed
        return self.run(n_rows(batch), shapes(batch), lambda rows: self(trimmed(take(batch, rows))))

    def encode_again(self, batch: Batch) -> Tensor:
        """Encode rows that another engine has encoded before; they count as probes, and not as forwards twice."""
        before = self.forwards
        found = self.encode(batch)
        self.probes += self.forwards - before
        self.forwards = before
        return found

    def run(self, n: int, key: tuple[Any, ...], step: Callable[[slice], Tensor]) -> Tensor:
        """Process ``n`` rows in batches of the best size.

        Args:
            n: number of rows.
            key: what the best size depends on, such as the input shape; the encoder remembers the size per key.
            step: maps a slice of the rows to a tensor with one result per row.

        Returns:
            The results of all rows, concatenated.
        """
        if self._waiting is not None:
            probe, work = self._waiting
            self._settle_engine(probe, Work(work.rows - self.forwards))
            self._waiting = (probe, work) if self._runner is None else None
        batch_sizes = self.encoder.batch_sizes
        size_key = (tuple(key), str(self.device), self.precision, self.engine)
        auto = self.setup.batch_size == "auto"
        sizers = self.encoder.searches if auto else self.setup.sizers  # a search goes on in the next session
        if size_key not in sizers:
            size = batch_sizes.get(size_key, "auto") if auto else self.setup.batch_size
            sizers[size_key] = BatchSizer(size, self.device)
        self._sizer = sizers[size_key]
        result = self._sizer.run(n, step)
        if auto and self._sizer.settled:
            batch_sizes[size_key] = self._sizer.size
        return result

    def __call__(self, batch: Batch) -> Tensor:
        """Run one forward pass: ``N`` rows to ``(N, D)`` float32.

        Non-finite rows are only counted; :meth:`check_finite` reports them.

        Raises:
            InputError: the model fails because of its input.
            EncoderError: the model fails for another reason, or does not return one representation per row.
        """
        representations = self._in_engine(batch)
        if representations is None:
            representations = self._in_torch(batch)
        n, tensor = n_rows(batch), first_tensor(batch)
        self.forwards += n
        self.backwards += n if tensor is not None and tensor.requires_grad else 0
        self._unchecked.append(representations.detach())
        if len(self._unchecked) == UNCHECKED:
            self._count_finite()
        return representations

    def _in_torch(self, batch: Batch) -> Tensor:
        start = time.perf_counter()
        representations = self._torch(batch, self.setup.precision)
        if isinstance(batch, Tensor) and not torch.is_grad_enabled():
            self.encoder.engines.spend(tuple(batch.shape[1:]), len(batch), time.perf_counter() - start)
        return representations

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Keep other threads from running the model, for methods that add hooks or replace modules."""
        with lock_of(self.encoder.model):
            yield

    def check_finite(self) -> None:
        """Check that all representations so far are finite; synchronises with the device.

        Raises:
            EncoderError: some have NaN or infinite values.
        """
        self._count_finite()
        n_invalid = self._counted - int(self._finite)
        if n_invalid:
            raise EncoderError(
                f"encoder {self.encoder.name!r} returned NaN or infinite values for {n_invalid} of {self._counted} "
                f"inputs in {self.precision}; check its weights and its preprocessing"
                + ("" if self.precision == "float32" else ", or try precision='float32'")
            )

    def _count_finite(self) -> None:
        """Count the finite ones among the representations of several forwards at once."""
        if self._unchecked:
            found = torch.isfinite(torch.cat(self._unchecked)).all(1)
            self._finite += found.sum()
            self._counted += len(found)
            self._unchecked.clear()

    def _in_engine(self, batch: Batch) -> Tensor | None:
        """Encode all rows in the engine; ``None`` where only PyTorch can, or if the engine fails."""
        runner, model = self._runner, self.encoder.model
        if runner is None or not isinstance(batch, Tensor) or tuple(batch.shape[1:]) != self._shape:
            return None
        if self._hooks is None:
            self._hooks = hook_tables(model)
        if torch.is_grad_enabled() or batch.requires_grad or any(self._hooks):
            return None
        try:
            return attempt(runner, batch.to(torch.float32))
        except EngineFailure as failure:
            self.setup.note(f"{runner.name} failed: {failure}")
            self.setup.trust.add(self._shape, None)
            self._runner = None
            return None
