"""Train the small encoders, with and without labels."""

from __future__ import annotations

from relax.encoders.training.fitting import probe, scenes, train

__all__ = ["probe", "scenes", "train"]
