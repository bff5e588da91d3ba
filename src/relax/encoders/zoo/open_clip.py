"""``open_clip:NAME`` and ``open_clip:NAME/TAG``: image and text towers of OpenCLIP."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from relax._support.extras import require
from relax.encoders.base import Encoder
from relax.encoders.zoo.weights import load_weights
from relax.errors import EncoderError, first_line
from relax.modalities.image.transforms import ImageTransform


def from_open_clip(
    name: str,
    *,
    pretrained: bool = True,
    weights: str | None = None,
    crop: str | None = None,
    pool: Any = "auto",
) -> Encoder:
    """A two-tower model of OpenCLIP; sentences are represented in the space of pictures.

    Args:
        name: as in ``open_clip.list_models()``; behind a slash the tag of the weights, as in
            ``open_clip.list_pretrained()``: ``"ViT-B-32/laion2b_s34b_b79k"``.
        pretrained: download those weights, or take them from the hub's cache; not with ``weights``.
        weights: a local file instead.
        crop: see :class:`ImageTransform`.
        pool: see :class:`Encoder`.
    """
    open_clip = require("open_clip", extra="open-clip")
    model_name, _, tag = name.partition("/")
    if model_name not in open_clip.list_models():
        raise EncoderError(f"open_clip has no model {model_name!r}; open_clip.list_models() lists those it has")
    hub = pretrained and weights is None
    tags = open_clip.list_pretrained_tags_by_model(model_name)
    if hub and tag not in tags:
        known = ", ".join(tags) or "none"
        raise EncoderError(
            f"open_clip:{model_name} needs the tag of its weights, as open_clip:{model_name}/TAG; available: {known}; "
            "or give weights=FILE or pretrained=False"
        )
    try:
        model = open_clip.create_model(model_name, pretrained=tag if hub else None)
        tokenizer = open_clip.get_tokenizer(model_name)
    except (RuntimeError, OSError, ValueError) as error:
        raise EncoderError(f"open_clip:{name} cannot be loaded: {first_line(error)}; give weights=FILE") from error
    if weights is not None:
        load_weights(model, weights)
    about = open_clip.get_model_preprocess_cfg(model)
    size = about["size"] if isinstance(about["size"], (tuple, list)) else (about["size"], about["size"])
    transform = ImageTransform(
        size=(size[0], size[1]),
        mean=tuple(about["mean"]),
        std=tuple(about["std"]),
        interpolation=about.get("interpolation", "bicubic"),
        crop=crop,
        resize=min(size) if about.get("resize_mode", "shortest") == "shortest" else None,
    )
    patch = getattr(model.visual, "patch_size", None)
    side = patch[0] if isinstance(patch, (tuple, list)) else patch
    return Encoder(
        _ImageTower(model),
        transform,
        name=f"open_clip:{name}",
        pool=pool,
        patch=side if isinstance(side, int) else None,
        text=lambda sentences: model.encode_text(tokenizer(sentences).to(next(model.parameters()).device)),
        origin={"name": f"open_clip:{name}", "pretrained": hub, "weights": weights, "crop": crop},
    )


class _ImageTower(nn.Module):
    """The image half."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, x: Tensor) -> Tensor:
        return self.model.encode_image(x)  # type: ignore[operator,no-any-return]
