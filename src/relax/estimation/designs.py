"""Designs: which masks to try next, in blocks.

Block number b of a seed is the same whatever was drawn before, on whatever device and in whatever batches:
each block has a random stream of its own.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
import torch
from scipy.linalg import hadamard
from scipy.stats.qmc import Sobol

from relax._support.registry import Registry
from relax.errors import ArgumentError
from relax.modalities.units import Block, Units

_PLACEMENTS = 1
"""Marks the streams of placements among those of bits."""


class Design(Protocol):
    """What the loop asks of a design.

    Attributes:
        group: blocks whose placements are chosen together, blocks 0 to ``group - 1`` and so on. Groups are
            independent of each other; blocks are, if ``group`` is 1.
    """

    group: int

    def sized(self, size: int) -> Design:
        """The same design with at most that many masks in a block."""

    def block_size(self, n_units: int) -> int:
        """Masks in a block."""

    def block(self, index: int, units: Units, keep: float, seed: int) -> Block:
        """Block ``index`` of the design, on the CPU."""


class Independent:
    """Independent masks: every bit Bernoulli(keep), every mask placed at random. The paper's choice.

    Args:
        size: masks in a block; blocks are only what errors are estimated from.
    """

    group = 1

    def __init__(self, size: int = 128) -> None:
        self.size = size

    def sized(self, size: int) -> Independent:
        return Independent(size)

    def block_size(self, n_units: int) -> int:
        return self.size

    def block(self, index: int, units: Units, keep: float, seed: int) -> Block:
        stream = _stream(seed, index)
        bits = stream.random((self.size, units.n_units)) < keep
        return _block(bits, stream.integers(0, units.placements, (self.size, len(units.placements))))


class FoldOver:
    """Rows of a Hadamard matrix, then the same rows complemented: an orthogonal array of resolution IV.

    A block takes a Hadamard matrix of the smallest order (a power of two) that has a column for each unit,
    picks its columns at random, flips their signs at random, and appends the complement of every row. So

    * every mask alone is a fair Bernoulli(½) mask: estimates are unbiased;
    * every unit is kept in exactly half of the masks of a block;
    * within a block, the main effects of units are free of each other and of all two-way interactions.

    One placement serves a whole block; what is left of the error is mostly the placement. So the placements of
    four blocks at a time are a scrambled Sobol net: each is uniform by itself, together they spread evenly.

    Only ``keep = 0.5`` is possible: the complement of a mask that keeps a third of its units keeps two thirds.

    Args:
        size: masks in a block, at most; of a block that would be larger it takes random rows and their complements.
            Units are then still kept in exactly half of the masks, but no longer quite free of each other.

    Sources: Box & Wilson (1951) for the fold-over of two-level designs; Owen (1995) for scrambled nets.
    """

    group = 4

    def __init__(self, size: int | None = None) -> None:
        self.size = size

    def sized(self, size: int) -> FoldOver:
        return FoldOver(size)

    def block_size(self, n_units: int) -> int:
        whole = 2 * _order(n_units)
        return whole if self.size is None else min(whole, self.size)

    def block(self, index: int, units: Units, keep: float, seed: int) -> Block:
        if keep != 0.5:
            raise ArgumentError(
                f"design='foldover' needs keep=0.5, since the complement of a mask is a mask; got keep={keep}; "
                "use design='independent' for other keep probabilities"
            )
        stream = _stream(seed, index)
        order = _order(units.n_units)
        columns = stream.permutation(order)[: units.n_units]
        signs = stream.choice((-1, 1), units.n_units)
        half = hadamard(order)[:, columns] * signs > 0
        rows = self.block_size(units.n_units) // 2
        if rows < order:
            half = half[stream.permutation(order)[:rows]]
        return _block(np.concatenate([half, ~half]), self._placement(index, units.placements, seed))

    def _placement(self, index: int, placements: tuple[int, ...], seed: int) -> np.ndarray:
        group, number = divmod(index, self.group)
        net = Sobol(len(placements), rng=_stream(seed, group, _PLACEMENTS)).random(self.group)
        placement: np.ndarray = (net[number : number + 1] * placements).astype(np.int64)
        return placement


DESIGNS: Registry[Design] = Registry("design", group="relax.design")
DESIGNS.add("foldover", FoldOver())
DESIGNS.add("independent", Independent())


def ensure(design: str | Design) -> Design:
    """A design from its name, or one that is given.

    Raises:
        UnknownNameError: no such design.
        ArgumentError: it is neither a name nor a design.
    """
    if isinstance(design, str):
        return DESIGNS[design]
    if all(hasattr(design, part) for part in ("group", "sized", "block_size", "block")):
        return design
    raise ArgumentError(f"expected `design` to be a design or one of {', '.join(DESIGNS)}, got {design!r}")


def name_of(design: Design) -> str:
    """The name that a design is registered under, or that of its class."""
    return DESIGNS.name_of(design) or type(design).__name__


def _order(n_units: int) -> int:
    """The smallest power of two that is at least ``n_units``."""
    return 1 << (n_units - 1).bit_length()


def _stream(seed: int, *key: int) -> np.random.Generator:
    return np.random.Generator(np.random.Philox(np.random.SeedSequence(seed, spawn_key=key)))


def _block(bits: np.ndarray, placements: np.ndarray) -> Block:
    return Block(torch.from_numpy(bits).float(), torch.from_numpy(placements))
