"""Allocator settings that keep freed memory between layers."""

from __future__ import annotations

import ctypes
import platform

MMAP_THRESHOLD, TRIM_THRESHOLD = -3, -1
"""Parameters of glibc's ``mallopt``."""

LARGEST = 2**30
"""Maximum size in bytes of an allocation from the heap, which keeps freed memory."""


def keep_memory() -> bool:
    """Make glibc's ``malloc`` keep freed memory instead of returning it to the system after every layer.

    A network on a CPU frees and allocates megabytes in every layer, and the system zeroes and maps returned pages anew
    each time. This took half of the time of EfficientNet-Lite0 with a batch size of 16 (``python -m
    benchmarks.memory``). The setting affects the whole process, so the library never applies it on its own: the command
    line does, and scripts may. Peak memory does not change, but is held until the process ends.

    Returns:
        Whether the setting was applied; ``False`` if the C library is not glibc.
    """
    if platform.libc_ver()[0] != "glibc":
        return False
    mallopt = ctypes.CDLL(None).mallopt
    # the second setting alone would freeze the mmap threshold at its small default
    return bool(mallopt(MMAP_THRESHOLD, LARGEST)) and bool(mallopt(TRIM_THRESHOLD, 2**31 - 1))
