"""Rows of tokens, and batches of rows of different lengths."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from relax.modalities.prepared import Prepared

IDS, ATTENTION, TYPES = "input_ids", "attention_mask", "token_type_ids"
"""Names of the inputs of encoders of texts."""


@dataclass(frozen=True, eq=False)
class Row:
    """The tokens of one text.

    Attributes:
        ids: ``(T,)`` int64.
        attention: ``(T,)`` int64, 1 for tokens that are looked at.
        types: ``(T,)`` int64 token types; ``None`` for encoders without them.
    """

    ids: np.ndarray
    attention: np.ndarray
    types: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, which: np.ndarray) -> Row:
        return Row(self.ids[which], self.attention[which], None if self.types is None else self.types[which])

    def key(self) -> Any:
        """Hashable contents, to find equal rows."""
        return self.ids.tobytes(), self.attention.tobytes(), None if self.types is None else self.types.tobytes()


def row_of(prepared: Prepared) -> Row:
    """The tokens of a prepared text."""
    arrays = {name: value.cpu().numpy() for name, value in prepared.inputs.items() if isinstance(value, Tensor)}
    return Row(arrays[IDS], arrays.get(ATTENTION, np.ones_like(arrays[IDS])), arrays.get(TYPES))


def padded(rows: Sequence[Row], pad_id: int, left: bool = False) -> dict[str, Tensor]:
    """A batch of rows, padded to the longest.

    Args:
        rows: at least one row.
        pad_id: id of the token to pad with.
        left: whether to pad on the left.

    Returns:
        ``(N, T)`` int64 tensors by name of the input.
    """
    length = max(len(row) for row in rows)
    arrays = {IDS: np.full((len(rows), length), pad_id), ATTENTION: np.zeros((len(rows), length), dtype=np.int64)}
    if rows[0].types is not None:
        arrays[TYPES] = np.zeros((len(rows), length), dtype=np.int64)
    for number, row in enumerate(rows):
        place = slice(length - len(row), length) if left else slice(0, len(row))
        arrays[IDS][number, place], arrays[ATTENTION][number, place] = row.ids, row.attention
        if row.types is not None:
            arrays[TYPES][number, place] = row.types
    return {name: torch.from_numpy(array) for name, array in arrays.items()}


def trimmed(batch: dict[str, Tensor]) -> dict[str, Tensor]:
    """A batch without the columns of padding that all its rows share."""
    used = batch[ATTENTION].any(0).nonzero().flatten()
    if not len(used):
        return batch
    columns = slice(int(used[0]), int(used[-1]) + 1)
    return {name: tensor[:, columns] for name, tensor in batch.items()}
