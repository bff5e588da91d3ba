"""The encoder: maps a batch of inputs to a batch of representations."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from relax import modalities
from relax.encoders.arguments import adopted, callable_of, modality_of
from relax.encoders.batching import BatchSizer
from relax.encoders.devices import as_device
from relax.encoders.engines import Engines
from relax.encoders.models import in_eval_mode
from relax.encoders.pooling import Pool, Pooling, has_class_token
from relax.encoders.precision import check_precision
from relax.encoders.session import Session
from relax.encoders.setup import Setup
from relax.errors import EncoderError, InputError
from relax.modalities import Modality, Prepared

CHUNK = 64
"""Number of inputs read at a time before they are encoded."""


class Encoder:
    """A model with its preprocessing and pooling.

    Args:
        model: an ``nn.Module``, any callable from a batch to representations, or a transformer of scikit-learn. It runs
            in eval mode without gradients; its mode, device and precision are restored afterwards.
        transform: the preprocessing. For images, a callable from an upright RGB PIL image to a ``(C, H, W)`` tensor,
            such as a torchvision transform. Without one the encoder takes model-ready tensors only.
        modality: kind of input: a name from ``relax list modalities``, or a Modality.
        name: name in results; by default the model's ``__name__`` or class name.
        pool: rule that turns outputs into ``(N, D)``: ``"auto"``, ``"mean"``, ``"cls"``, the key of a dict output, or
            a callable; see :mod:`relax.encoders.pooling`.
        patch: patch side of a vision transformer in pixels.
        text: text tower: maps a list of ``N`` sentences to ``(N, D)`` in the representation space of the inputs.
        views: names of the views of a multi-view model (it receives a mapping of batches) or their number (a tuple).
            ``transform`` may then be a mapping with the same keys.
        origin: JSON-able description of where the encoder comes from.

    Attributes:
        modality: the kind of input, with the encoder's preprocessing.
        pooling: the rule that turns outputs into representations.
        batch_sizes: fastest batch sizes found so far, by input shape, device, precision and engine.
        engines: exported graphs of the model in other engines.

    Raises:
        ArgumentError: the model is not callable, or an argument has the wrong type.

    Example:
        >>> import torch, relax
        >>> encoder = relax.Encoder(torch.nn.Conv2d(3, 8, 3))
        >>> encoder.encode(torch.zeros(2, 3, 16, 16)).shape
        torch.Size([2, 8])
    """

    def __init__(
        self,
        model: nn.Module | Callable[..., Any],
        transform: Any = None,
        *,
        modality: str | Modality | type[Modality] | None = None,
        name: str | None = None,
        pool: Pool = "auto",
        patch: int | None = None,
        text: Callable[[list[str]], Tensor] | None = None,
        views: Sequence[str] | int | None = None,
        origin: dict[str, Any] | None = None,
    ) -> None:
        model, transform, modality = adopted(model, transform, modality)
        self.modality = modality_of(model, transform, modality, patch, views)
        self.model = model = callable_of(self.modality.adapted(model))
        self.name: str = name or str(getattr(model, "__name__", type(model).__name__))
        self.pooling = Pooling(pool, has_class_token(model))
        self.patch = patch
        self.text = text
        self.origin = origin or {"name": self.name}
        self.batch_sizes: dict[tuple[Any, ...], int] = {}
        self.searches: dict[tuple[Any, ...], BatchSizer] = {}
        self.precisions: dict[str, str] = {}
        self.engines = Engines()
        self._variants: dict[Any, Encoder] = {}

    @property
    def transform(self) -> Any:
        """The preprocessing of the modality."""
        return self.modality.transform

    @transform.setter
    def transform(self, transform: Any) -> None:
        self.modality.transform = transform
        self._variants.clear()

    @property
    def normalises(self) -> bool:
        """Whether the preprocessing centres the data, so that zero is their mean."""
        return self.modality.normalises

    def prepare(self, source: Any) -> Prepared:
        """Read and preprocess one input; for images see :class:`relax.modalities.image.modality.Image`.

        Raises:
            InputError: the source cannot be read, or is not of the encoder's modality.
        """
        return self.modality.prepare(source)

    def split(self, inputs: Any) -> list[Any] | None:
        """Split several inputs into a list of single ones; ``None`` if there is only one."""
        return self.modality.split(inputs)

    def for_inputs(self, inputs: Any) -> Encoder:
        """This encoder, or a copy of it with the modality that these inputs need (such as views)."""
        modality = self.modality.for_inputs(inputs)
        if modality is self.modality:
            return self
        key = (type(modality), getattr(modality, "key", None))
        return self._variants.setdefault(key, self.with_modality(modality))

    def with_modality(self, modality: Modality) -> Encoder:
        """A copy with another modality; it shares the model, the pooling and the batch sizes."""
        clone = copy.copy(self)
        clone.modality = modality
        clone._variants = {}
        return clone

    @property
    def device(self) -> torch.device:
        """Device of the model's parameters or buffers; the CPU if it has none."""
        if isinstance(self.model, nn.Module):
            for tensor in (*self.model.parameters(), *self.model.buffers()):
                return tensor.device
        return torch.device("cpu")

    @property
    def dtype(self) -> torch.dtype:
        """Dtype of the model's first floating-point parameter; float32 if it has none."""
        parameters = self.model.parameters() if isinstance(self.model, nn.Module) else ()
        return next((tensor.dtype for tensor in parameters if tensor.is_floating_point()), torch.float32)

    def setup(
        self,
        device: str | torch.device = "auto",
        precision: str = "auto",
        batch_size: int | str = "auto",
        engine: str = "auto",
    ) -> Setup:
        """Settings for running the encoder, shared by all sessions opened from them.

        Args:
            device: ``"auto"`` for the model's own device.
            precision: ``"float32"``, ``"bfloat16"``, ``"float16"`` or ``"auto"``.
            batch_size: inputs per forward pass, or ``"auto"``.
            engine: ``"torch"``, ``"onnxruntime"``, ``"openvino"`` or ``"auto"``; see :class:`relax.Explainer`.

        Raises:
            ArgumentError: an argument is invalid, or the device is not available.
            MissingExtraError: the engine is not installed.
            EncoderError: the model is on the meta device.
        """
        target = self.device if str(device) == "auto" else as_device(device)
        return Setup(self, target, check_precision(precision), batch_size, engine)

    @contextmanager
    def session(
        self,
        device: str | torch.device = "auto",
        precision: str = "auto",
        batch_size: int | str = "auto",
        engine: str = "auto",
    ) -> Iterator[Session]:
        """Open a session for many batches; the model's mode and device are restored at the end.

        Takes the arguments of :meth:`setup`.
        """
        with self.setup(device, precision, batch_size, engine).session() as session:
            yield session

    def encode(
        self,
        inputs: Any,
        *,
        device: str = "auto",
        precision: str = "float32",
        batch_size: int | str = "auto",
        engine: str = "torch",
    ) -> Tensor:
        """Encode one or several inputs.

        Args:
            inputs: as for :func:`relax.explain`: one input, a list of inputs, or an ``(N, C, H, W)`` tensor.
            device: ``"auto"`` for the model's own device.
            precision: ``"float32"``, ``"bfloat16"``, ``"float16"`` or ``"auto"``.
            batch_size: inputs per forward pass, or ``"auto"``.
            engine: ``"torch"``, ``"onnxruntime"``, ``"openvino"`` or ``"auto"``.

        Returns:
            ``(N, D)`` float32 on the CPU.

        Raises:
            InputError: an input cannot be read or encoded, or there are none.
            EncoderError: the model fails, or does not return one representation per input.
        """
        sources = self.split(inputs)
        with self.session(device, precision, batch_size, engine) as session:
            return self.encode_in(session, [inputs] if sources is None else sources).cpu()

    def encode_in(self, session: Session, sources: Sequence[Any]) -> Tensor:
        """Encode inputs in an open session, chunk by chunk, so that they need not all fit into memory.

        Args:
            session: a session of this encoder.
            sources: single inputs, at least one.

        Returns:
            ``(N, D)`` float32 on the session's device.

        Raises:
            InputError: ``sources`` is empty, or one of them cannot be read.
        """
        if not sources:
            raise InputError("expected at least one input, got an empty list")
        parts: list[Tensor] = []
        for start in range(0, len(sources), CHUNK):
            parts.append(self.represent(session, [self.prepare(source) for source in sources[start : start + CHUNK]]))
        return torch.cat(parts)

    def represent(self, session: Session, prepared: Sequence[Prepared]) -> Tensor:
        """Representations of preprocessed inputs, those of similar size in one batch.

        Args:
            session: a session of this encoder.
            prepared: the inputs, at least one.

        Returns:
            ``(N, D)`` float32 on the session's device.
        """
        order = sorted(range(len(prepared)), key=lambda n: self.modality.size(prepared[n]))
        batch = self.modality.collate([prepared[n] for n in order])
        session.settle(lambda n: modalities.take(batch, slice(n)))
        back = torch.argsort(torch.tensor(order)).to(session.device)
        return session.encode(batch).float()[back]

    def encode_text(self, sentences: list[str]) -> Tensor:
        """Encode sentences with the text tower, into the representation space of the inputs.

        Args:
            sentences: ``N`` sentences.

        Returns:
            ``(N, D)`` float32 on the CPU.

        Raises:
            EncoderError: the encoder has no text tower.
        """
        if self.modality.name == "text":
            return self.encode(sentences)
        if self.text is None:
            raise EncoderError(
                f"encoder {self.name!r} has no text tower; use hf: (CLIP, SigLIP) or open_clip: models, "
                "or pass one as relax.Encoder(model, text=...)"
            )
        with in_eval_mode(self.model), torch.no_grad():
            output = self.text(list(sentences))
        return self.pooling(output, len(sentences)).float().cpu()

    def text_tower(self) -> Encoder:
        """The text tower as an encoder of texts, whose words are removed from the string.

        Raises:
            EncoderError: the encoder has no text tower.
        """
        if self.text is None:
            raise EncoderError(f"encoder {self.name!r} has no text tower")
        origin = {**self.origin, "tower": "text"}
        return Encoder(self.text, modality="text", name=self.name, pool=self.pooling.rule, origin=origin)

    def settings(self) -> dict[str, Any]:
        """JSON-able description of the encoder."""
        settings: dict[str, Any] = {
            key: value if value is None or isinstance(value, bool) else str(value) for key, value in self.origin.items()
        }
        settings |= self.modality.settings()
        if isinstance(self.pooling.rule, str):
            settings["pool"] = self.pooling.rule
        return settings

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "searches": {}}  # another process searches its own batch sizes

    def __repr__(self) -> str:
        return f"Encoder({self.name!r})"
