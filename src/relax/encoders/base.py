"""The encoder: anything that turns a batch of inputs into a batch of representations."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from relax import modalities
from relax.encoders.pooling import Pool, Pooling, has_class_token
from relax.encoders.precision import check_precision
from relax.encoders.session import Session, Setup
from relax.errors import ArgumentError, EncoderError, InputError, first_line
from relax.modalities import Modality, Prepared

CHUNK = 64
"""Inputs that are read before they are encoded."""

Key = str | int
"""Of a view."""


class Encoder:
    """A model with everything that is needed to get representations out of it.

    Args:
        model: an ``nn.Module``, or any callable from a batch to representations. It is run in eval mode and
            without gradients, and left in the mode, device and precision in which it was found.
        transform: the preprocessing. For images from an upright RGB PIL picture to a ``(C, H, W)`` tensor, such as a
            torchvision transform; without one only model-ready tensors can be explained.
        modality: what kind of input the encoder takes: a name from ``relax list modalities``, or a Modality.
        name: what to call it in results; by default the class of the model.
        pool: how outputs become ``(N, D)``: ``"auto"``, ``"mean"``, ``"cls"``, the key of a dict output, or a
            callable; :mod:`relax.encoders.pooling` has the rules.
        patch: side of a vision transformer's patch in pixels, where the model has one.
        text: for models with a text tower: from sentences to ``(N, D)`` in the space of the inputs' representations.
        views: for models of several views: their names, and the model is called with a mapping of batches; or their
            number, and it is called with a tuple. ``transform`` may be a mapping with the same keys.
        origin: JSON-able description of how the encoder was made.

    Attributes:
        modality: the kind of input, with the encoder's preprocessing.
        pooling: the rule by which outputs become representations.
        batch_sizes: the fastest batch sizes found so far, by shape of the input, device and precision.

    Raises:
        ArgumentError: the model is not callable, or an argument is of the wrong kind.

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
        modality: str | Modality | type[Modality] = "image",
        name: str | None = None,
        pool: Pool = "auto",
        patch: int | None = None,
        text: Callable[[list[str]], Tensor] | None = None,
        views: Sequence[str] | int | None = None,
        origin: dict[str, Any] | None = None,
    ) -> None:
        if not callable(model):
            raise ArgumentError(f"expected an nn.Module or a callable as encoder, got {type(model).__name__}")
        if transform is not None and not callable(transform) and not isinstance(transform, Mapping):
            raise ArgumentError(f"expected `transform` to be a callable on PIL pictures, got {transform!r}")
        self.model = model
        self.name: str = name or str(getattr(model, "__name__", type(model).__name__))
        self.pooling = Pooling(pool, has_class_token(model))
        self.patch = patch
        self.text = text
        self.origin = origin or {"name": self.name}
        self.batch_sizes: dict[tuple[Any, ...], int] = {}
        self.modality: Modality
        if views is None:
            self.modality = modalities.ensure(modality, transform, patch)
        else:
            kind: Any = modalities.MODALITIES["views"]
            self.modality = kind(transform, patch=patch, keys=_keys(views))

    @property
    def transform(self) -> Any:
        """The preprocessing, as the modality has it."""
        return self.modality.transform

    @transform.setter
    def transform(self, transform: Any) -> None:
        self.modality.transform = transform

    @property
    def normalises(self) -> bool:
        """Whether zero is known to be the mean of the data in the encoder's input space."""
        return self.modality.normalises

    def prepare(self, source: Any) -> Prepared:
        """One input as the encoder sees it; for images see :class:`relax.modalities.image.modality.Image`.

        Raises:
            InputError: the source cannot be read, or is not of the encoder's modality.
        """
        return self.modality.prepare(source)

    def split(self, inputs: Any) -> list[Any] | None:
        """The single inputs where several are given at once; ``None`` for a single one."""
        return self.modality.split(inputs)

    def for_inputs(self, inputs: Any) -> Encoder:
        """This encoder, or for objects of several views the same one with that modality."""
        modality = self.modality.for_inputs(inputs)
        return self if modality is self.modality else self.with_modality(modality)

    def with_modality(self, modality: Modality) -> Encoder:
        """The same model, pooling and batch sizes with another kind of input."""
        other = copy.copy(self)
        other.modality = modality
        return other

    @property
    def device(self) -> torch.device:
        """Where the model's parameters (or buffers) are; the CPU if it has none."""
        if isinstance(self.model, nn.Module):
            for tensor in (*self.model.parameters(), *self.model.buffers()):
                return tensor.device
        return torch.device("cpu")

    @property
    def dtype(self) -> torch.dtype:
        """What the model computes in by itself: the type of its first floating-point parameter."""
        if isinstance(self.model, nn.Module):
            for tensor in self.model.parameters():
                if tensor.is_floating_point():
                    return tensor.dtype
        return torch.float32

    def setup(
        self, device: str | torch.device = "auto", precision: str = "auto", batch_size: int | str = "auto"
    ) -> Setup:
        """How the encoder is to be run; what is settled in one session holds for the next."""
        target = self.device if str(device) == "auto" else as_device(device)
        return Setup(self, target, check_precision(precision), batch_size)

    @contextmanager
    def session(
        self, device: str | torch.device = "auto", precision: str = "auto", batch_size: int | str = "auto"
    ) -> Iterator[Session]:
        """Open the encoder for many batches: eval mode, device, precision; all put back at the end."""
        with self.setup(device, precision, batch_size).session() as session:
            yield session

    def encode(
        self, inputs: Any, *, device: str = "auto", precision: str = "float32", batch_size: int | str = "auto"
    ) -> Tensor:
        """Representations of one input or several.

        Args:
            inputs: what :func:`relax.explain` takes: one input, a list of them, or an ``(N, C, H, W)`` tensor.
            device: ``"auto"`` for where the model is.
            precision: ``"float32"``, ``"bfloat16"``, ``"float16"`` or ``"auto"``.
            batch_size: rows in a forward.

        Returns:
            ``(N, D)`` float32 on the CPU.
        """
        sources = self.split(inputs)
        with self.session(device, precision, batch_size) as session:
            return self.encode_in(session, [inputs] if sources is None else sources).cpu()

    def encode_in(self, session: Session, sources: Sequence[Any]) -> Tensor:
        """``(N, D)`` float32 on the session's device, read and encoded a chunk at a time, so that inputs need not all
        fit into memory.

        Args:
            session: of this encoder.
            sources: single inputs, at least one.
        """
        if not sources:
            raise InputError("expected at least one input, got an empty list")
        parts: list[Tensor] = []
        for start in range(0, len(sources), CHUNK):
            batch = self.modality.collate([self.prepare(source) for source in sources[start : start + CHUNK]])
            session.settle(lambda n, batch=batch: modalities.take(batch, slice(n)))  # type: ignore[misc]
            parts.append(session.encode(batch).float())
        return torch.cat(parts)

    def encode_text(self, sentences: list[str]) -> Tensor:
        """Representations of sentences, ``(N, D)`` float32 on the CPU, in the space of the inputs' representations.

        Raises:
            EncoderError: the encoder has no text tower.
        """
        if self.text is None:
            raise EncoderError(
                f"encoder {self.name!r} has no text tower; hf: CLIP and SigLIP models and open_clip: models have one, "
                "and relax.Encoder(model, text=...) takes a callable"
            )
        with torch.no_grad():
            vectors = self.text(list(sentences))
        return self.pooling(vectors, len(sentences)).float().cpu()

    def settings(self) -> dict[str, Any]:
        """JSON-able description of the encoder."""
        described: dict[str, Any] = {
            k: v if v is None or isinstance(v, bool) else str(v) for k, v in self.origin.items()
        }
        described |= self.modality.settings()
        if isinstance(self.pooling.rule, str):
            described["pool"] = self.pooling.rule
        return described

    def __repr__(self) -> str:
        return f"Encoder({self.name!r})"


def _keys(views: Sequence[str] | int) -> tuple[Key, ...]:
    keys: tuple[Key, ...] = tuple(range(views)) if isinstance(views, int) else tuple(views)
    if not keys or len(set(keys)) < len(keys):
        raise ArgumentError(f"expected `views` to be different names or a positive number, got {views!r}")
    return keys


def as_device(device: str | torch.device) -> torch.device:
    """A device that can be used here.

    Raises:
        ArgumentError: it cannot; the message says why.
    """
    try:
        chosen = torch.device(device)
        return torch.empty(0, device=chosen).device
    except (RuntimeError, AssertionError) as error:
        raise ArgumentError(f"device {str(device)!r} cannot be used here: {first_line(error)}") from error
