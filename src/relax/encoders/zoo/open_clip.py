"""``open_clip:NAME`` and ``open_clip:NAME/TAG``: image and text towers of OpenCLIP."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from relax._support.extras import require
from relax.encoders.base import Encoder
from relax.encoders.zoo.hub import without_notes
from relax.encoders.zoo.weights import load_weights
from relax.errors import EncoderError, first_line
from relax.modalities.image.transforms import ImageTransform


@without_notes()
def from_open_clip(
    name: str,
    *,
    pretrained: bool = True,
    weights: str | None = None,
    crop: str | None = None,
    pool: Any = "auto",
) -> Encoder:
    """Load a two-tower model of OpenCLIP, which encodes images and sentences into one representation space.

    Args:
        name: a name from ``open_clip.list_models()``, followed by a slash and the tag of the weights, as in
            ``open_clip.list_pretrained()``: ``"ViT-B-32/laion2b_s34b_b79k"``.
        pretrained: load these weights from the hub or its cache; ignored if ``weights`` is given.
        weights: local file to load instead.
        crop: see :class:`ImageTransform`.
        pool: see :class:`Encoder`.

    Raises:
        MissingExtraError: open_clip is not installed.
        EncoderError: the model, the tag or the weights cannot be loaded.
    """
    open_clip = require("open_clip", extra="open-clip")
    model_name, _, tag = name.partition("/")
    if model_name not in open_clip.list_models():
        raise EncoderError(f"open_clip has no model {model_name!r}; open_clip.list_models() lists the names")
    hub = pretrained and weights is None
    tags = open_clip.list_pretrained_tags_by_model(model_name)
    if hub and tag not in tags:
        available = ", ".join(tags) or "none"
        raise EncoderError(
            f"open_clip:{model_name} needs a weights tag, open_clip:{model_name}/TAG; available: {available}; "
            "or pass weights=FILE or pretrained=False"
        )
    try:
        model = open_clip.create_model(model_name, pretrained=tag if hub else None)
        tokenizer = open_clip.get_tokenizer(model_name)
    except (RuntimeError, OSError, ValueError) as error:
        raise EncoderError(f"open_clip:{name} cannot be loaded: {first_line(error)}; pass weights=FILE") from error
    if weights is not None:
        load_weights(model, weights)
    patch = getattr(model.visual, "patch_size", None)
    side = patch[0] if isinstance(patch, (tuple, list)) else patch
    return Encoder(
        _ImageTower(model),
        _transform(open_clip.get_model_preprocess_cfg(model), crop),
        name=f"open_clip:{name}",
        pool=pool,
        patch=side if isinstance(side, int) else None,
        text=lambda sentences: model.encode_text(tokenizer(sentences).to(next(model.parameters()).device)),
        origin={"name": f"open_clip:{name}", "pretrained": hub, "weights": weights, "crop": crop},
    )


def _transform(preprocessing: Any, crop: str | None) -> ImageTransform:
    """Convert OpenCLIP's preprocessing configuration to an ImageTransform."""
    size = preprocessing["size"]
    size = size if isinstance(size, (tuple, list)) else (size, size)
    return ImageTransform(
        size=(size[0], size[1]),
        mean=tuple(preprocessing["mean"]),
        std=tuple(preprocessing["std"]),
        interpolation=preprocessing.get("interpolation", "bicubic"),
        crop=crop,
        resize=min(size) if preprocessing.get("resize_mode", "shortest") == "shortest" else None,
    )


class _ImageTower(nn.Module):
    """Image tower of a two-tower model."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, x: Tensor) -> Tensor:
        return self.model.encode_image(x)  # type: ignore[operator,no-any-return]
