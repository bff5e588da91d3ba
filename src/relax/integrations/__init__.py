"""Adapters to other libraries: Captum, Quantus, pytorch-grad-cam."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(__name__, submodules=["captum", "gradcam", "quantus"])
