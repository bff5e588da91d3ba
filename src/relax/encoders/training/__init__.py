"""Train the small encoders, with labels and without."""

from __future__ import annotations

from relax.encoders.training.fitting import probe, scenes, train

__all__ = ["probe", "scenes", "train"]
