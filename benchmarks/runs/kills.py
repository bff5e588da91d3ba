"""Fifty kills of a small encoder, and the rows of a run that was left alone."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from relax.runs import Store

SMALL = 120
"""Pictures of the run with a small encoder."""


def kills(n: int = 50) -> dict[str, Any]:
    """Kill runs of a small encoder at random, resume, and compare the rows with those of a run left alone."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        (home / "in").mkdir()
        rng = np.random.default_rng(0)
        for k in range(SMALL):
            Image.fromarray(rng.integers(0, 255, (64, 64, 3), dtype=np.uint8)).save(home / "in" / f"{k:02d}.png")
        (home / "in" / "poisoned.png").write_bytes(b"\x89PNG\r\n\x1a\n and no more")
        common = [sys.executable, "-m", "benchmarks.runs.small", str(home / "in")]
        landed = written = 0
        start = _first_shard([*common, str(home / "killed")], home / "killed" / "rows")
        for _ in range(n):
            before = len(list((home / "killed" / "rows").glob("*")))
            process = subprocess.Popen([*common, str(home / "killed")], stderr=subprocess.DEVNULL)
            time.sleep(start * float(rng.uniform(0.7, 1.5)))
            if process.poll() is None:
                os.kill(process.pid, signal.SIGKILL)
                landed += 1
            process.wait()
            written += len(list((home / "killed" / "rows").glob("*"))) > before
        for name in ("killed", "alone"):
            subprocess.run([*common, str(home / name)], check=True, stderr=subprocess.DEVNULL)
        killed, alone = (_by_key(home / name) for name in ("killed", "alone"))
        same = sum(killed.get(key) == row for key, row in alone.items())
        left = [path.name for path in (home / "killed").rglob("*.tmp")]
        return {
            "killed": landed,
            "of_these_after_a_new_shard": written,
            "rows": len(alone),
            "same": same,
            "extra": len(killed) - len(alone),
            "leftovers": left,
        }


def _first_shard(command: list[str], rows: Path) -> float:
    """Seconds until a run has written its first shard, when it is killed."""
    began = time.perf_counter()
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    while not list(rows.glob("*.parquet")) and process.poll() is None:
        time.sleep(0.01)
    process.kill()
    process.wait()
    return time.perf_counter() - began


def _by_key(folder: Path) -> dict[str, Any]:
    rows = Store(folder).table().to_pylist()
    if len({row["key"] for row in rows}) < len(rows):
        raise SystemExit(f"{folder}: a key twice")
    for row in rows:
        row.pop("seconds")
        row["standard_error"] = str(row["standard_error"])  # NaN equals itself
    return {row["key"]: row for row in rows}
