"""The encoder: anything that turns a batch of inputs into a batch of representations."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from os import PathLike
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from relax.encoders.pooling import Pool, Pooling, has_class_token
from relax.encoders.precision import check_precision
from relax.encoders.session import Session
from relax.encoders.transforms import Box, ImageTransform
from relax.errors import ArgumentError, EncoderError, InputError, first_line
from relax.pictures import describe, fingerprint, from_array, open_picture, upright_rgb

CHUNK = 64
"""Inputs that are read before they are encoded."""

Transform = Callable[[Image.Image], Tensor]
Key = str | int
"""Of a view."""


@dataclass(frozen=True, eq=False)
class Prepared:
    """An input as the encoder sees it, and where it came from.

    Attributes:
        tensor: ``(C, H, W)`` model-ready, on the CPU or where the caller's tensor is.
        picture: the upright RGB picture that it was made from; ``None`` for a tensor.
        view: the part of the picture that the encoder sees (left, top, right, bottom, in its pixels).
        source: JSON-able provenance.
    """

    tensor: Tensor
    picture: Image.Image | None = None
    view: Box | None = None
    source: dict[str, Any] = field(default_factory=dict)


class Encoder:
    """A model with everything that is needed to get representations out of it.

    Args:
        model: an ``nn.Module``, or any callable from a batch to representations. It is run in eval mode and
            without gradients, and left in the mode, device and precision in which it was found.
        transform: from an upright RGB PIL picture to a ``(C, H, W)`` tensor, such as a torchvision transform.
            Without one only model-ready tensors can be explained.
        name: what to call it in results; by default the class of the model.
        pool: how outputs become ``(N, D)``: ``"auto"``, ``"mean"``, ``"cls"``, the key of a dict output, or a
            callable; the rules stand in :mod:`relax.encoders.pooling`.
        patch: side of a vision transformer's patch in pixels, where the model has one.
        text: for models with a text tower: from sentences to ``(N, D)`` in the space of the inputs' representations.
        views: for models of several views: their names, and the model is called with a mapping of batches; or their
            number, and it is called with a tuple. ``transform`` may be a mapping with the same keys.
        origin: JSON-able description of how the encoder was made.

    Example:
        >>> import torch, relax
        >>> encoder = relax.Encoder(torch.nn.Conv2d(3, 8, 3))
        >>> encoder.encode(torch.zeros(2, 3, 16, 16)).shape
        torch.Size([2, 8])
    """

    def __init__(
        self,
        model: nn.Module | Callable[[Tensor], Any],
        transform: Transform | Mapping[Key, Transform] | None = None,
        *,
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
        self.transform = transform
        self.name = name or getattr(model, "__name__", type(model).__name__)
        self.pooling = Pooling(pool, has_class_token(model))
        self.patch = patch
        self.text = text
        self.views: tuple[Key, ...] | None = _keys(views)
        self.origin = origin or {"name": self.name}
        self.batch_sizes: dict[tuple[Any, ...], int] = {}

    def prepare(self, source: Any) -> Prepared:
        """One input as the encoder sees it.

        Args:
            source: a path, PIL image or numpy array is a picture and goes through the transform; a torch
                tensor ``(C, H, W)`` is taken as it is.
        """
        if isinstance(source, Prepared):
            return source
        if isinstance(source, Tensor):
            return self._from_tensor(source)
        if isinstance(source, (str, PathLike)):
            picture = open_picture(source)
        elif isinstance(source, Image.Image):
            picture = upright_rgb(source)
        elif isinstance(source, np.ndarray):
            picture = from_array(source)
        else:
            raise InputError(f"expected a path, PIL image, numpy array or tensor, got {type(source).__name__}")
        if self.views is not None or isinstance(self.transform, Mapping):
            raise InputError(f"encoder {self.name!r} takes several views; give a mapping of views")
        if self.transform is None:
            raise InputError(
                f"encoder {self.name!r} has no transform for pictures; "
                "give relax.Encoder(model, transform=...) one, or explain a model-ready tensor"
            )
        tensor = self.transform(picture)
        if not isinstance(tensor, Tensor) or tensor.ndim != 3:
            got = tuple(tensor.shape) if isinstance(tensor, Tensor) else type(tensor).__name__
            raise InputError(f"expected the transform to return a (C, H, W) tensor, got {got}")
        view: Box = (0.0, 0.0, float(picture.width), float(picture.height))
        if isinstance(self.transform, ImageTransform):
            view = self.transform.view(picture.size)
        about = {
            "source": describe(source),
            "picture_size": list(picture.size),
            "view": list(view),
            "sha256": fingerprint(picture),
        }
        return Prepared(tensor, picture, view, about)

    def transform_of(self, view: Key) -> Transform | None:
        """The transform of one view."""
        return self.transform.get(view) if isinstance(self.transform, Mapping) else self.transform

    def _from_tensor(self, tensor: Tensor) -> Prepared:
        if tensor.ndim != 3:
            raise InputError(
                f"expected a tensor of shape (C, H, W), or (N, C, H, W) for several, got {tuple(tensor.shape)}"
            )
        if 0 in tensor.shape:
            raise InputError(f"expected an input, got an empty tensor of shape {tuple(tensor.shape)}")
        if not tensor.is_floating_point():
            raise InputError(
                f"expected a floating-point, model-ready tensor, got {tensor.dtype}; give pictures as arrays"
            )
        if not torch.isfinite(tensor).all():
            raise InputError("the input tensor has NaN or infinite values")
        return Prepared(tensor.detach(), source={"source": "tensor"})

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

    @contextmanager
    def session(
        self, device: str | torch.device = "auto", precision: str = "auto", batch_size: int | str = "auto"
    ) -> Iterator[Session]:
        """Open the encoder for many batches: eval mode, device, precision; all put back at the end."""
        check_precision(precision)
        home = self.device
        target = home if device == "auto" else as_device(device)
        modes = _modes(self.model)
        try:
            if isinstance(self.model, nn.Module):
                self.model.eval()
                if target != home:
                    self.model.to(target)
            # the outer autocast keeps weights that inner ones have cast; it also shuts out one of the caller's
            with torch.inference_mode(False), torch.no_grad(), torch.autocast(target.type, enabled=False):
                yield Session(self, target, precision, batch_size)
        finally:
            for module, training in modes:
                module.training = training
            if isinstance(self.model, nn.Module) and target != home:
                self.model.to(home)

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
        sources = split(inputs)
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
        shape: torch.Size | None = None
        for start in range(0, len(sources), CHUNK):
            tensors = [self.prepare(source).tensor for source in sources[start : start + CHUNK]]
            shapes = {tensor.shape for tensor in tensors} | ({shape} if shape is not None else set())
            if len(shapes) > 1:
                raise InputError(f"expected inputs of one shape, got {sorted(map(tuple, shapes))}")
            (shape,) = shapes
            stack = torch.stack(tensors)
            session.settle(lambda n, stack=stack: stack[:n])  # type: ignore[misc]
            parts.append(session.encode(stack).float())
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
        if isinstance(self.transform, ImageTransform):
            described["transform"] = self.transform.settings()
        elif self.transform is not None:
            described["transform"] = repr(self.transform)
        if isinstance(self.pooling.rule, str):
            described["pool"] = self.pooling.rule
        return described

    def __repr__(self) -> str:
        return f"Encoder({self.name!r})"


def split(inputs: Any) -> list[Any] | None:
    """The single inputs in a list, tuple, 4-D tensor or 4-D array; ``None`` if ``inputs`` is a single one."""
    if isinstance(inputs, (list, tuple)):
        return list(inputs)
    if isinstance(inputs, (Tensor, np.ndarray)) and inputs.ndim == 4:
        return list(inputs)
    return None


def _keys(views: Sequence[str] | int | None) -> tuple[Key, ...] | None:
    if views is None:
        return None
    keys: tuple[Key, ...] = tuple(range(views)) if isinstance(views, int) else tuple(views)
    if not keys or len(set(keys)) < len(keys):
        raise ArgumentError(f"expected `views` to be different names or a positive number, got {views!r}")
    return keys


def _modes(model: Any) -> list[tuple[nn.Module, bool]]:
    return [(module, module.training) for module in model.modules()] if isinstance(model, nn.Module) else []


def as_device(device: str | torch.device) -> torch.device:
    """A device that can be used here, or an :class:`ArgumentError` that says why not."""
    try:
        chosen = torch.device(device)
        torch.empty(0, device=chosen)
    except (RuntimeError, AssertionError) as error:
        raise ArgumentError(f"device {str(device)!r} cannot be used here: {first_line(error)}") from error
    return torch.empty(0, device=chosen).device
