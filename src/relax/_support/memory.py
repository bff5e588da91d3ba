"""Memory that is kept between layers, where the allocator can be told to."""

from __future__ import annotations

import ctypes
import platform

MMAP_THRESHOLD, TRIM_THRESHOLD = -3, -1
"""Parameters of glibc's ``mallopt``."""

LARGEST = 2**30
"""Bytes up to which a block comes from the heap, which keeps what is freed."""


def keep_memory() -> bool:
    """Tell glibc's ``malloc`` to keep freed memory for this process instead of handing it back after every layer.

    A network on a CPU frees and asks for megabytes with every layer; pages that went back to the system are zeroed
    and mapped again each time. For EfficientNet-Lite0 in batches of 16 that was half of the time
    (``python -m benchmarks.memory``). It concerns the whole process, so that the library does not do it by itself: the
    command line does, and scripts may. Peak memory stays what it was, but is held until the process ends.

    Returns:
        Whether it was done: ``False`` where the C library is not glibc.
    """
    if platform.libc_ver()[0] != "glibc":
        return False
    mallopt = ctypes.CDLL(None).mallopt
    # without the first, the second would have every large block mapped anew
    return bool(mallopt(MMAP_THRESHOLD, LARGEST)) and bool(mallopt(TRIM_THRESHOLD, 2**31 - 1))
