"""Settings for running an encoder, shared by the sessions of several inputs and threads."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import torch

from relax._support.warning import warn
from relax.encoders.batching import BatchSizer
from relax.encoders.engines.base import TORCH, check_engine
from relax.encoders.engines.trust import Trust
from relax.encoders.like import EncoderLike
from relax.encoders.models import in_eval_mode, placed_on
from relax.errors import EncoderError

if TYPE_CHECKING:
    from relax.encoders.session import Session


class Setup:
    """Settings for running an encoder, shared by its sessions and threads.

    Args:
        encoder: the encoder.
        device: device to run it on.
        precision: ``"auto"`` until :meth:`Session.settle` has chosen one.
        batch_size: rows per forward pass, or ``"auto"``.
        engine: ``"torch"``, another engine, or ``"auto"``; :meth:`Session.settle` chooses for each session.

    Raises:
        ArgumentError: ``batch_size`` or ``engine`` is invalid.
        MissingExtraError: the engine is not installed.
        EncoderError: the device is the meta device.
    """

    def __init__(
        self, encoder: EncoderLike, device: torch.device, precision: str, batch_size: int | str, engine: str = TORCH
    ) -> None:
        self.encoder = encoder
        self.device = device
        self.asked = precision
        # a model that is not float32 runs in its own dtype
        self.precision = "float32" if encoder.dtype != torch.float32 and precision == "auto" else precision
        self.batch_size = batch_size
        self.engine = check_engine(engine)
        self.noted = False
        self.sizers: dict[tuple[Any, ...], BatchSizer] = {}
        self.settling = threading.Lock()
        self.trust = Trust()
        self.one_by_one = False
        self.needs_gradients = False
        BatchSizer(batch_size, device)  # validates the size up front
        if device.type == "meta":
            raise EncoderError(f"encoder {encoder.name!r} is on the meta device and has no weights; load them first")

    def note(self, reason: str) -> None:
        """Say once why the engine asked for, or worth its while, is not used."""
        if not self.noted:
            self.noted = True
            engine = "another engine" if self.engine == "auto" else self.engine
            warn(f"encoder {self.encoder.name!r} does not run in {engine} but in PyTorch: {reason}")

    def inside(self) -> str | None:
        """Why only PyTorch can run this encoder; ``None`` if others may, too."""
        if self.device.type != "cpu":
            return f"the device is {self.device}"
        if self.encoder.dtype != torch.float32:
            return "its weights are not float32"
        if self.one_by_one or self.needs_gradients:
            return "it takes one input at a time, or differentiates inside"
        return None

    @contextmanager
    def placed(self) -> Iterator[None]:
        """Hold the model on the device."""
        with placed_on(self.encoder.model, self.device, lambda: self.encoder.device):
            yield

    @contextmanager
    def held(self) -> Iterator[None]:
        """Hold the model on the device and in eval mode while nobody changes it, and rely on engines that agree."""
        with self.placed(), in_eval_mode(self.encoder.model), self.trust.held():
            yield

    @contextmanager
    def session(self) -> Iterator[Session]:
        """Open a session in a :meth:`ready` context."""
        from relax.encoders.session import Session

        with self.ready():
            yield Session(self)

    @contextmanager
    def ready(self) -> Iterator[None]:
        """Prepare the model for many batches (eval mode, device, no gradients); restore it at the end."""
        model = self.encoder.model
        with (
            placed_on(model, self.device, lambda: self.encoder.device),
            in_eval_mode(model),
            # an outer autocast context keeps the weights that inner ones cast, and overrides the caller's
            torch.inference_mode(False),
            torch.no_grad(),
            torch.autocast(self.device.type, enabled=False),
        ):
            yield
