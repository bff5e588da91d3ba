"""Freed memory is kept where the allocator can be told to."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

import relax

CODE = """
import resource, torch, relax
assert relax.keep_memory()
def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt
torch.ones(16, 2**20)
before = faults()
for _ in range(40):
    torch.ones(16, 2**20)
print(faults() - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="not glibc")
def test_blocks_that_come_and_go_are_not_mapped_anew():
    done = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=True)
    # 64 MiB are 16,384 pages, and without it each of the 40 maps them anew; a small block in between may move a few
    assert int(done.stdout) < 40 * 16_384 / 2


def test_other_libraries_are_left_alone(monkeypatch):
    monkeypatch.setattr(platform, "libc_ver", lambda: ("", ""))
    assert relax.keep_memory() is False
