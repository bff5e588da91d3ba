"""Texts that are longer than their encoder takes, encoded in windows."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from relax.modalities.text.batching import ATTENTION, IDS, TYPES, Row, padded


@dataclass(frozen=True, eq=False)
class Window:
    """What an encoder takes at a time.

    Attributes:
        length: largest number of tokens.
        before: number of tokens in front of every text: special ones, and those of the prompt.
        after: number of special tokens behind it.
        pad_id: id of the token to pad with.
        left: whether to pad on the left.
    """

    length: int
    before: int
    after: int
    pad_id: int = 0
    left: bool = False

    def divided(self, batch: dict[str, Tensor]) -> Windows | None:
        """The batch in windows; ``None`` if all of its texts fit.

        A text is divided into as few windows as it takes, as equal as possible and without overlap. Each has the
        special tokens and the prompt of the whole.

        Args:
            batch: ``(N, T)`` int64 tensors by name of the input.
        """
        if batch[IDS].shape[1] <= self.length:
            return None
        rows, owners, weights = [], [], []
        for number, row in enumerate(_rows(batch)):
            for part, weight in self._parts(row):
                rows.append(part)
                owners.append(number)
                weights.append(weight)
        return Windows(padded(rows, self.pad_id, self.left), torch.tensor(owners), torch.tensor(weights))

    def _parts(self, row: Row) -> list[tuple[Row, float]]:
        """Windows of one text, each with the number of its own tokens that are attended to."""
        if len(row) <= self.length:
            return [(row, 1.0)]
        places = np.arange(len(row))
        front, body, back = np.split(places, [self.before, len(row) - self.after])
        n = math.ceil(len(body) / (self.length - self.before - self.after))
        return [
            (row[np.concatenate([front, part, back])], float(row.attention[part].sum()))
            for part in np.array_split(body, n)
        ]


@dataclass(frozen=True, eq=False)
class Windows:
    """A batch of texts in windows.

    Attributes:
        batch: ``(W, T)`` int64 tensors by name of the input.
        owner: ``(W,)`` row of the text that each window is of, ascending.
        weights: ``(W,)`` number of the text's tokens in each.
    """

    batch: dict[str, Tensor]
    owner: Tensor
    weights: Tensor

    def joined(self, representations: Tensor) -> Tensor:
        """Mean over each text's windows, weighted by their tokens.

        Args:
            representations: ``(W, D)``.

        Returns:
            ``(N, D)``; a text with one window keeps its representation.
        """
        owner, weights = (values.to(representations.device) for values in (self.owner, self.weights))
        n = int(owner[-1]) + 1
        total = torch.zeros(n, dtype=weights.dtype, device=weights.device).index_add(0, owner, weights)
        weights = torch.where(total[owner] > 0, weights, 1.0)  # of a text that nothing attends to, the plain mean
        total = torch.zeros_like(total).index_add(0, owner, weights)
        shares = (weights / total[owner]).to(representations.dtype)
        joined = representations.new_zeros(n, representations.shape[1])
        return joined.index_add(0, owner, shares[:, None] * representations)


def _rows(batch: dict[str, Tensor]) -> list[Row]:
    """The texts of a batch, without the padding around them."""
    arrays = {name: tensor.cpu().numpy() for name, tensor in batch.items()}
    rows = []
    for number, attention in enumerate(arrays[ATTENTION]):
        used = np.flatnonzero(attention)
        place = slice(int(used[0]), int(used[-1]) + 1) if len(used) else slice(0, 1)
        types = arrays[TYPES][number, place] if TYPES in arrays else None
        rows.append(Row(arrays[IDS][number, place], attention[place], types))
    return rows
