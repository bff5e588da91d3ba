"""Estimation: which masks to try, the loop that tries them, and what they say together."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(__name__, submodules=["designs", "moments", "stopping"])
