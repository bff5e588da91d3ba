"""Estimation: designs that draw masks, the loop that evaluates them, and estimators that turn scores into maps."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(__name__, submodules=["designs", "moments", "stopping"])
