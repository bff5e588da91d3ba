"""Orthogonal and low-discrepancy sequences, those of SciPy, without the time that its modules take to import."""

from __future__ import annotations

import numpy as np

_BITS = 30
"""Bits of a point's coordinates."""


def scrambled_net(dimensions: int, stream: np.random.Generator) -> np.ndarray:
    """The first four points of a scrambled Sobol sequence, those of ``scipy.stats.qmc.Sobol`` to the last digit.

    In one or two dimensions they are computed here, since importing ``scipy.stats`` takes half a second: 0, v, v ⊕ w
    and w, for the first two direction numbers v and w multiplied by a random lower triangular matrix of bits (Matousek
    1998), all shifted by random bits.

    Args:
        dimensions: number of dimensions, at least 1.
        stream: random numbers.

    Returns:
        ``(4, dimensions)`` in [0, 1).
    """
    if dimensions > 2:
        from scipy.stats.qmc import Sobol

        return np.asarray(Sobol(dimensions, rng=stream).random(4))
    stream = stream.spawn(1)[0]
    shift = stream.integers(2, size=(dimensions, _BITS), dtype=np.uint32) @ (1 << np.arange(_BITS, dtype=np.uint32))
    matrix = np.tril(stream.integers(2, size=(dimensions, _BITS, _BITS), dtype=np.uint32), -1)
    matrix += np.eye(_BITS, dtype=np.uint32)
    columns = (1 << np.arange(_BITS, dtype=np.uint32)[::-1]) @ matrix  # as numbers, one a column
    v, w = columns[:, 0], columns[:, 1]
    w = w ^ np.where(np.arange(dimensions) == 1, v, 0).astype(np.uint32)  # 11 in the second dimension, 01 in the first
    return np.stack([shift, shift ^ v, shift ^ v ^ w, shift ^ w]) / 2.0**_BITS


def hadamard(order: int) -> np.ndarray:
    """Sylvester's Hadamard matrix, that of ``scipy.linalg.hadamard``, whose import takes a quarter of a second.

    Args:
        order: number of rows, a power of two.

    Returns:
        ``(order, order)`` of 1 and -1, whose rows are orthogonal.
    """
    matrix = np.ones((1, 1), dtype=np.int64)
    while len(matrix) < order:
        matrix = np.block([[matrix, matrix], [matrix, -matrix]])
    return matrix
