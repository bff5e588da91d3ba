"""``torchvision:NAME``: any classification model of torchvision, without its classifier."""

from __future__ import annotations

from typing import Any

from torch import nn

from relax._support.extras import require
from relax.encoders.base import Encoder
from relax.encoders.zoo.weights import load_weights
from relax.errors import EncoderError
from relax.modalities.image.transforms import ImageTransform


def from_torchvision(
    name: str,
    *,
    pretrained: bool = True,
    weights: str | None = None,
    crop: str | None = None,
    pool: Any = "auto",
) -> Encoder:
    """A torchvision model; the representation is what its last linear layer receives.

    Args:
        name: as in ``torchvision.models.list_models()``.
        pretrained: use the default weights of torchvision (a download); not with ``weights``.
        weights: a local file instead.
        crop: see :class:`ImageTransform`.
        pool: see :class:`Encoder`.
    """
    models = require("torchvision", extra="torchvision").models
    if name in models.list_models() and name not in models.list_models(module=models):
        raise EncoderError(
            f"torchvision:{name} is no classification model, and its backbone would be downloaded; build the model and "
            "give relax.Encoder(model, pool=...)"
        )
    if name not in models.list_models():
        raise EncoderError(f"torchvision has no model {name!r}; torchvision.models.list_models() lists those there are")
    default = models.get_model_weights(name).DEFAULT
    try:
        model = models.get_model(name, weights=default if pretrained and weights is None else None)
    except (OSError, RuntimeError) as error:
        raise EncoderError(
            f"the weights of torchvision:{name} cannot be downloaded ({error}); give weights=FILE or pretrained=False"
        ) from error
    if weights is not None:
        load_weights(model, weights)
    _remove_classifier(model, name)
    preset = default.transforms()
    transform = ImageTransform(
        size=(preset.crop_size[0],) * 2,
        mean=tuple(preset.mean),
        std=tuple(preset.std),
        interpolation=preset.interpolation.value,
        crop=crop,
        resize=preset.resize_size[0],
    )
    origin = {
        "name": f"torchvision:{name}",
        "pretrained": pretrained and weights is None,
        "weights": weights,
        "crop": crop,
    }
    patch = getattr(model, "patch_size", None)
    return Encoder(
        model,
        transform,
        name=f"torchvision:{name}",
        pool=pool,
        patch=patch if isinstance(patch, int) else None,
        origin=origin,
    )


def _remove_classifier(model: nn.Module, name: str) -> None:
    linear = [path for path, module in model.named_modules() if isinstance(module, nn.Linear)]
    if not linear:
        raise EncoderError(f"torchvision:{name} has no linear classifier to remove; wrap it in relax.Encoder yourself")
    parent, _, child = linear[-1].rpartition(".")
    setattr(model.get_submodule(parent), child, nn.Identity())
