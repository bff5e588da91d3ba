"""``timm:NAME``: any timm model, with timm's own data configuration."""

from __future__ import annotations

import math
from typing import Any

from relax._support.extras import require
from relax.encoders.base import Encoder
from relax.encoders.zoo.hub import without_notes
from relax.encoders.zoo.weights import load_weights
from relax.errors import EncoderError, first_line
from relax.modalities.image.transforms import ImageTransform


@without_notes()
def from_timm(
    name: str,
    *,
    pretrained: bool = True,
    weights: str | None = None,
    crop: str | None = None,
    pool: Any = "auto",
) -> Encoder:
    """Load a timm model without its classifier (``num_classes=0``), with timm's pooling.

    Args:
        name: a name from ``timm.list_models()``.
        pretrained: use timm's weights, downloaded from the hub unless cached; ignored if ``weights`` is given.
        weights: local file to load instead; a classifier in it is ignored.
        crop: see :class:`ImageTransform`.
        pool: see :class:`Encoder`.

    Raises:
        MissingExtraError: timm is not installed.
        EncoderError: the model or its weights cannot be loaded.
    """
    timm = require("timm", extra="timm")
    hub = pretrained and weights is None
    try:
        model = timm.create_model(name, pretrained=hub, num_classes=0)
    except RuntimeError as error:  # unknown model, or no pretrained weights
        hint = (
            "timm.list_models() lists the names"
            if "nknown model" in str(error)
            else "pass weights=FILE or pretrained=False"
        )
        raise EncoderError(f"timm:{name} cannot be created: {first_line(error)}; {hint}") from error
    except (OSError, ValueError) as error:  # the hub is unreachable or lacks the model
        raise EncoderError(
            f"the weights of timm:{name} cannot be downloaded ({first_line(error)}); "
            "pass weights=FILE or pretrained=False"
        ) from error
    if weights is not None:
        load_weights(model, weights, head=_classifier(model))
    config = timm.data.resolve_model_data_config(model)
    _, height, width = config["input_size"]
    interpolation = config["interpolation"]
    transform = ImageTransform(
        size=(height, width),
        mean=tuple(config["mean"]),
        std=tuple(config["std"]),
        interpolation="bicubic" if interpolation == "random" else interpolation,
        crop=crop,
        resize=math.floor(min(height, width) / config["crop_pct"]),
    )
    origin = {"name": f"timm:{name}", "pretrained": hub, "weights": weights, "crop": crop}
    return Encoder(model, transform, name=f"timm:{name}", pool=pool, patch=_patch(model), origin=origin)


def _classifier(model: Any) -> tuple[str, ...]:
    names = getattr(model, "pretrained_cfg", {}).get("classifier") or "head"
    return (names,) if isinstance(names, str) else tuple(names)


def _patch(model: Any) -> int | None:
    size = getattr(getattr(model, "patch_embed", None), "patch_size", None)
    return int(size[0]) if isinstance(size, (tuple, list)) and len(set(size)) == 1 else None
