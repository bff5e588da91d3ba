"""``hf:NAME-or-folder``: models of transformers with their image processors or tokenizers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from PIL import Image
from torch import Tensor, nn

from relax._support.extras import require
from relax.encoders.base import Encoder
from relax.encoders.zoo.hf_text import text_from_hf
from relax.encoders.zoo.hub import without_notes
from relax.encoders.zoo.weights import check_folder
from relax.errors import ArgumentError, EncoderError, first_line
from relax.modalities.image.transforms import ImageTransform

TOWERS = ("auto", "image", "text")

TOKENIZERS = ("tokenizer.json", "vocab.json", "vocab.txt", "spiece.model", "tokenizer.model")
"""Files that hold the vocabulary of a tokeniser."""


@without_notes()
def from_hf(
    name: str,
    *,
    pretrained: bool = True,
    weights: str | None = None,
    crop: str | None = None,
    pool: Any = "auto",
    tower: str = "auto",
) -> Encoder:
    """Load a vision or text model of transformers from the hub, its cache or a local folder.

    For text models see :func:`relax.encoders.zoo.hf_text.text_from_hf`. The representation of a vision model is the
    pooled output that it was trained with (``image_embeds`` or ``pooler_output``); without a pooler in the checkpoint,
    it is the class token, or the mean over tokens.

    Args:
        name: hub name, or folder written by ``save_pretrained``.
        pretrained: must be true, since the configuration is read with the weights.
        weights: not supported; save the model to a folder instead.
        crop: see :class:`ImageTransform`.
        pool: see :class:`Encoder`.
        tower: ``"image"`` or ``"text"`` of a two-tower model; ``"auto"``: text if there is no image processor.

    Raises:
        MissingExtraError: transformers is not installed.
        ArgumentError: there is no such tower.
        EncoderError: the model or its image processor cannot be loaded.
    """
    transformers = require("transformers", extra="hf")
    if not pretrained or weights is not None:
        raise EncoderError(
            f"hf:{name} reads configuration and weights together; save both to a folder and use hf:FOLDER"
        )
    if tower not in TOWERS:
        raise ArgumentError(f"expected `tower` to be one of {', '.join(TOWERS)}, got {tower!r}")
    check_folder("hf", name)
    if tower == "text" or (tower == "auto" and _is_text(transformers, name)):
        return text_from_hf(name, pool)
    missing = [file for file in ("config.json", "preprocessor_config.json") if not (Path(name) / file).is_file()]
    if Path(name).is_dir() and missing:
        raise EncoderError(
            f"hf:{name}: {missing[0]} is missing in this folder; save the model and its image processor there"
        )
    try:
        processor = transformers.AutoImageProcessor.from_pretrained(name, trust_remote_code=False)
        model, info = transformers.AutoModel.from_pretrained(name, output_loading_info=True, trust_remote_code=False)
    except (OSError, ValueError, KeyError) as error:
        raise EncoderError(
            f"hf:{name} cannot be loaded: {first_line(error)}; use a hub name, which needs a network once, or a "
            "folder with config.json, preprocessor_config.json and weights"
        ) from error
    patch = getattr(getattr(model.config, "vision_config", model.config), "patch_size", None)
    pooler_untrained = any("pooler" in key for key in info["missing_keys"])
    text = None
    if hasattr(model, "get_image_features"):
        text = _TextTower(model, name)
        model = _ImageTower(model)
    elif pooler_untrained and pool == "auto":
        pool = "last_hidden_state"
    return Encoder(
        model,
        _transform(processor, crop),
        name=f"hf:{name}",
        pool=pool,
        patch=patch if isinstance(patch, int) else None,
        text=text,
        origin={"name": f"hf:{name}", "crop": crop},
    )


def _is_text(transformers: Any, name: str) -> bool:
    """Whether a model reads texts only: it has a tokenizer and no image processor."""
    folder = Path(name)
    if folder.is_dir():
        has_tokenizer = any((folder / file).exists() for file in TOKENIZERS)
        return has_tokenizer and not (folder / "preprocessor_config.json").is_file()
    try:
        config = transformers.AutoConfig.from_pretrained(name, trust_remote_code=False)
    except (OSError, ValueError, KeyError):
        return False  # reported when the model is loaded
    return hasattr(config, "vocab_size") and not hasattr(config, "vision_config")


class _ImageTower(nn.Module):
    """Image tower of a two-tower model."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, pixel_values: Tensor) -> Any:
        return self.model.get_image_features(pixel_values=pixel_values)  # type: ignore[operator]


class _TextTower:
    """Text tower of a two-tower model; the tokeniser is loaded on first use."""

    def __init__(self, model: nn.Module, name: str) -> None:
        self.model = model
        self.name = name
        self.tokenizer: Any = None

    def __call__(self, sentences: list[str]) -> Any:
        self.tokenizer = self.tokenizer or _tokenizer(self.name)
        config = getattr(self.model.config, "text_config", self.model.config)
        length = getattr(config, "max_position_embeddings", None)
        # SigLIP was trained on sentences padded to full length, without an attention mask
        siglip = "siglip" in getattr(self.model.config, "model_type", "")
        padding, names = ("max_length", ("input_ids",)) if siglip else (True, ("input_ids", "attention_mask"))
        tokens = self.tokenizer(sentences, padding=padding, truncation=True, max_length=length, return_tensors="pt")
        device = next(self.model.parameters()).device
        return self.model.get_text_features(**{name: tokens[name].to(device) for name in names})  # type: ignore[operator]


@without_notes()
def _tokenizer(name: str) -> Any:
    transformers = require("transformers", extra="hf")
    folder = Path(name)
    if folder.is_dir() and not any((folder / file).exists() for file in TOKENIZERS):
        # transformers would create a tokeniser with an empty vocabulary
        raise EncoderError(
            f"hf:{name}: no tokeniser in this folder, expected one of {', '.join(TOKENIZERS)}; save it there too"
        )
    try:
        return transformers.AutoTokenizer.from_pretrained(name, trust_remote_code=False)
    except (OSError, ValueError, KeyError, ImportError) as error:
        raise EncoderError(f"hf:{name}: its tokeniser cannot be loaded: {first_line(error)}") from error


def _transform(processor: Any, crop: str | None) -> ImageTransform:
    """Convert the resizing and normalisation of an image processor to an ImageTransform."""
    size, crop_size = dict(processor.size), dict(getattr(processor, "crop_size", None) or {})
    crops = bool(getattr(processor, "do_center_crop", False)) and crop_size
    shortest = size.get("shortest_edge")
    if crops:
        input_size = (crop_size["height"], crop_size["width"])
    elif "height" in size:
        input_size = (size["height"], size["width"])
    elif shortest:
        input_size = (shortest, shortest)
    else:
        raise EncoderError(
            f"the image processor's size {size} is not supported; use relax.Encoder(model, transform=...)"
        )
    normalised = getattr(processor, "do_normalize", True)
    resample = getattr(processor, "resample", None)
    return ImageTransform(
        size=input_size,
        mean=tuple(processor.image_mean) if normalised else (0.0, 0.0, 0.0),
        std=tuple(processor.image_std) if normalised else (1.0, 1.0, 1.0),
        interpolation=Image.Resampling(int(resample)).name.lower() if resample is not None else "bilinear",
        crop=crop,
        resize=(shortest or size.get("height")) if crops else None,
    )
