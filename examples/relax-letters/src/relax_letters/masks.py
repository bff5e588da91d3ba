"""Masks that remove words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

import relax


@dataclass(frozen=True)
class WordMasks(relax.Masks):
    """The words of a text, kept or removed one by one.

    Args:
        keep: probability that a word is kept, in (0, 1).
    """

    keep: float = 0.5

    def __post_init__(self) -> None:
        if not 0 < self.keep < 1:
            raise relax.ArgumentError(f"expected `keep` between 0 and 1 (both excluded), got {self.keep!r}")

    def over(self, prepared: relax.Prepared | Tensor) -> relax.Units:
        table = prepared if isinstance(prepared, Tensor) else prepared.tensor
        if table.ndim != 2:
            raise relax.ArgumentError(f"masks 'letter-words' need a table (26, words), got shape {tuple(table.shape)}")
        return relax.LabelUnits(torch.arange(table.shape[1], device=table.device))

    def settings(self) -> dict[str, Any]:
        return {"name": "letter-words", "keep": self.keep}
