"""Designs: how to draw masks, in blocks.

Every block has its own random stream, so block b of a seed does not depend on earlier blocks, on the device or on the
batch size.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
import torch

from relax._support.registry import Registry
from relax.errors import ArgumentError
from relax.estimation.sequences import hadamard, scrambled_net
from relax.modalities.units import Block, Units

MOST_UNITS = 24
"""Largest number of units whose masks are enumerated."""

_PLACEMENTS = 1
"""Stream key of placements, as opposed to bits."""

_SIZES = 2
"""Stream key of the sizes of masks, as opposed to their bits."""


class Design(Protocol):
    """Interface of a design.

    Attributes:
        group: number of consecutive blocks with jointly drawn placements: blocks 0 to ``group - 1``, and so on. Groups
            are independent of each other; blocks are independent only if ``group`` is 1.
    """

    group: int

    def sized(self, size: int) -> Design:
        """The same design with at most ``size`` masks per block."""

    def block_size(self, n_units: int) -> int:
        """Number of masks in a block for ``n_units`` units."""

    def block(self, index: int, units: Units, keep: float, seed: int) -> Block:
        """Draw one block of masks, on the CPU.

        Args:
            index: number of the block, from 0.
            units: the units to keep or remove.
            keep: probability of keeping a unit, in (0, 1).
            seed: random seed of the design.

        Raises:
            ArgumentError: the design does not support this keep probability.
        """


class Independent:
    """Independent masks, as in the paper: Bernoulli(keep) bits, and a random placement for every mask.

    Args:
        size: number of masks in a block; affects only the estimate of the standard error.
    """

    group = 1

    def __init__(self, size: int = 128) -> None:
        self.size = size

    def sized(self, size: int) -> Independent:
        """The same design with ``size`` masks per block."""
        return Independent(size)

    def block_size(self, n_units: int) -> int:
        """Number of masks in a block, for any number of units."""
        return self.size

    def block(self, index: int, units: Units, keep: float, seed: int) -> Block:
        """Draw block ``index``, on the CPU."""
        stream = _stream(seed, index)
        bits = stream.random((self.size, units.n_units)) < keep
        return _block(bits, stream.integers(0, units.placements, (self.size, len(units.placements))))


class FoldOver:
    """Rows of a Hadamard matrix, then the same rows complemented: an orthogonal array of resolution IV.

    A block takes the Hadamard matrix of the smallest order (a power of two) with a column for each unit, picks columns
    at random, flips their signs at random, and appends the complement of every row. As a result

    * each mask alone is a fair Bernoulli(½) mask, so estimates are unbiased;
    * a block keeps each unit in exactly half of its masks;
    * within a block, main effects are orthogonal to each other and unconfounded with two-way interactions.

    A block shares one placement, which accounts for most of the remaining error. The placements of four consecutive
    blocks therefore form a scrambled Sobol net: each one is uniform, and together they cover the range evenly.

    Requires ``keep = 0.5``: the complement of a mask that keeps a third of its units keeps two thirds.

    Args:
        size: maximum number of masks in a block; a larger block is reduced to random rows and their complements. It
            still keeps each unit in exactly half of its masks, but main effects are no longer exactly orthogonal.

    Sources: Box & Wilson (1951) for the fold-over of two-level designs; Owen (1995) for scrambled nets.
    """

    group = 4

    def __init__(self, size: int | None = None) -> None:
        if size is not None and (isinstance(size, bool) or not isinstance(size, int) or size < 2 or size % 2):
            raise ArgumentError(f"expected `size` to be an even number of masks, at least 2, got {size!r}")
        self.size = size

    def sized(self, size: int) -> FoldOver:
        """The same design with at most ``size`` masks per block, rounded down to pairs."""
        return FoldOver(max(2, size - size % 2))

    def block_size(self, n_units: int) -> int:
        """Number of masks in a block: twice the order of the Hadamard matrix, or ``size`` if that is smaller."""
        full_size = 2 * _order(n_units)
        return full_size if self.size is None else min(full_size, self.size)

    def block(self, index: int, units: Units, keep: float, seed: int) -> Block:
        """Draw block ``index``, on the CPU.

        Raises:
            ArgumentError: ``keep`` is not 0.5.
        """
        _check_fair("foldover", keep)
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
        group, index_in_group = divmod(index, self.group)
        net = scrambled_net(len(placements), _stream(seed, group, _PLACEMENTS))
        placement: np.ndarray = (net[index_in_group : index_in_group + 1] * placements).astype(np.int64)
        return placement


class AllSizes:
    """Masks that keep anything from one unit to all but one, in pairs with their complements.

    The number of kept units is uniform from 1 to n − 1, and which they are is uniform given their number. A block takes
    the masks of :class:`FoldOver` and adds or removes random units until each mask has the size that it is to have;
    sizes are stratified. A block keeps each unit in exactly half of its masks, but a unit is added to nearly nothing
    and to nearly everything as often as to a half, as in the random orders behind Shapley values. A regression on these
    masks estimates a least-square value (Ruiz, Valenciano & Zarzuelo, *The family of least square values for
    transferable utility games*, 1998).

    The bits of a mask depend on each other, so that moments of these masks are not effects: for regressions only.
    Requires ``keep = 0.5``.

    Args:
        size: maximum number of masks in a block, as in :class:`FoldOver`.
    """

    group = FoldOver.group

    def __init__(self, size: int | None = None) -> None:
        self._fair = FoldOver(size)

    def sized(self, size: int) -> AllSizes:
        """The same design with at most ``size`` masks per block, rounded down to pairs."""
        return AllSizes(max(2, size - size % 2))

    def block_size(self, n_units: int) -> int:
        """Number of masks in a block: as many as :class:`FoldOver` has."""
        return self._fair.block_size(n_units)

    def block(self, index: int, units: Units, keep: float, seed: int) -> Block:
        """Draw block ``index``, on the CPU.

        Raises:
            ArgumentError: ``keep`` is not 0.5.
        """
        _check_fair("all-sizes", keep)
        fair = self._fair.block(index, units, keep, seed)
        rows, n = len(fair) // 2, units.n_units
        stream = _stream(seed, index, _SIZES)
        strata = (stream.permutation(rows) + stream.random(rows)) / rows
        sizes = 1 + (strata * max(n - 1, 1)).astype(int)
        removed_last = (~fair.bits[:rows].bool().numpy() + stream.random((rows, n))).argsort(1).argsort(1)
        kept = removed_last < sizes[:, None]
        return Block(torch.from_numpy(np.concatenate([kept, ~kept])).float(), fair.placements)


class Exhaustive:
    """All masks, each once, in pairs with their complements; for few units.

    The run is then exact: expectations over fair masks, without a Monte-Carlo error. The default for texts and rows of
    tables whose masks are no more than a run may take. Takes one kind of masks and one fill.

    Args:
        size: maximum number of masks in a block, even.
    """

    group = 1

    def __init__(self, size: int = 128) -> None:
        self.size = size

    def sized(self, size: int) -> Exhaustive:
        """The same design with at most ``size`` masks per block, rounded down to a power of two."""
        return Exhaustive(1 << (max(2, size).bit_length() - 1))

    def block_size(self, n_units: int) -> int:
        """Number of masks in a block."""
        return min(self.size, 1 << n_units)

    def block(self, index: int, units: Units, keep: float, seed: int) -> Block:
        """Masks of block ``index``, on the CPU.

        Raises:
            ArgumentError: there are too many masks, they are not equally likely, or the units move.
        """
        if not enumerable(units, keep) or units.n_units > MOST_UNITS:
            raise ArgumentError(
                f"design='exhaustive' tries all masks of at most {MOST_UNITS} fixed units with keep=0.5, got "
                f"{units.n_units} units and keep={keep}; use design='foldover' or 'independent'"
            )
        half = self.block_size(units.n_units) // 2
        numbers = np.arange(index * half, (index + 1) * half)
        bits = (numbers[:, None] >> np.arange(units.n_units)) & 1 == 1
        return _block(np.concatenate([bits, ~bits]), np.zeros((1, len(units.placements)), dtype=np.int64))


def enumerable(units: Units, keep: float) -> bool:
    """Whether all masks of some units are equally likely and do not move."""
    return keep == 0.5 and all(n == 1 for n in units.placements)


DESIGNS: Registry[Design] = Registry("design", group="relax.design")
DESIGNS.add("foldover", FoldOver())
DESIGNS.add("independent", Independent())
DESIGNS.add("all-sizes", AllSizes())
DESIGNS.add("exhaustive", Exhaustive())


def ensure(design: str | Design) -> Design:
    """Resolve a design from its name, or pass a design through.

    Raises:
        UnknownNameError: there is no design of this name.
        ArgumentError: ``design`` is neither a name nor a design.
    """
    if isinstance(design, str):
        return DESIGNS[design]
    if all(hasattr(design, attribute) for attribute in ("group", "sized", "block_size", "block")):
        return design
    raise ArgumentError(f"expected `design` to be a design or one of {', '.join(DESIGNS)}, got {design!r}")


def name_of(design: Design) -> str:
    """Registered name of a design, or the name of its class."""
    return DESIGNS.name_of(design) or type(design).__name__


def _check_fair(name: str, keep: float) -> None:
    if keep != 0.5:
        raise ArgumentError(
            f"design={name!r} needs keep=0.5, because it pairs masks with their complements; got keep={keep}; "
            "use design='independent' for other keep probabilities"
        )


def _order(n_units: int) -> int:
    """Smallest power of two that is at least ``n_units``."""
    return 1 << (n_units - 1).bit_length()


def _stream(seed: int, *key: int) -> np.random.Generator:
    return np.random.Generator(np.random.Philox(np.random.SeedSequence(seed, spawn_key=key)))


def _block(bits: np.ndarray, placements: np.ndarray) -> Block:
    return Block(torch.from_numpy(bits).float(), torch.from_numpy(placements))
