"""``torchvision:NAME``: any torchvision classification model, without its classifier."""

from __future__ import annotations

from typing import Any

from torch import nn

from relax._support.extras import require
from relax.encoders.base import Encoder
from relax.encoders.zoo.weights import load_weights
from relax.errors import EncoderError, first_line
from relax.modalities.image.transforms import ImageTransform


def from_torchvision(
    name: str,
    *,
    pretrained: bool = True,
    weights: str | None = None,
    crop: str | None = None,
    pool: Any = "auto",
) -> Encoder:
    """Load a torchvision classifier; the representation is the input of its last linear layer.

    Args:
        name: a name from ``torchvision.models.list_models()``.
        pretrained: use torchvision's default weights, downloaded unless cached; ignored if ``weights`` is given.
        weights: local file to load instead.
        crop: see :class:`ImageTransform`.
        pool: see :class:`Encoder`.

    Raises:
        MissingExtraError: torchvision is not installed.
        EncoderError: the model is not a classifier, or the model or its weights cannot be loaded.
    """
    model, default = _create(name, pretrained and weights is None)
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


def _create(name: str, pretrained: bool) -> tuple[nn.Module, Any]:
    """The full classification model, and its default weights entry, which holds the preprocessing."""
    models = require("torchvision", extra="torchvision").models
    if name in models.list_models() and name not in models.list_models(module=models):
        raise EncoderError(
            f"torchvision:{name} is not a classification model; build the model yourself and use "
            "relax.Encoder(model, pool=...)"
        )
    if name not in models.list_models():
        raise EncoderError(f"torchvision has no model {name!r}; torchvision.models.list_models() lists the names")
    default = models.get_model_weights(name).DEFAULT
    try:
        model = models.get_model(name, weights=default if pretrained else None)
    except (OSError, RuntimeError) as error:
        raise EncoderError(
            f"the weights of torchvision:{name} cannot be downloaded ({first_line(error)}); "
            "pass weights=FILE or pretrained=False"
        ) from error
    return model, default


def _remove_classifier(model: nn.Module, name: str) -> None:
    """Replace the last linear layer with the identity."""
    linear = [path for path, module in model.named_modules() if isinstance(module, nn.Linear)]
    if not linear:
        raise EncoderError(f"torchvision:{name} has no linear classifier to remove; use relax.Encoder(model)")
    parent, _, child = linear[-1].rpartition(".")
    setattr(model.get_submodule(parent), child, nn.Identity())
