"""One run of several lives, and the bare encoder between them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

import relax
from benchmarks.runs.pictures import pictures
from benchmarks.timing import rate, repeated
from relax.runs import Store

BARE = 8.0
"""Seconds of the bare encoder between two lives."""


def measured(asked: Any) -> dict[str, Any]:
    """Lives of one run, each ended by SIGKILL but the last, and the bare encoder between them."""
    source, out = pictures(asked.n, asked.out / "pictures"), asked.out / "store"
    encoder = relax.load_encoder("efficientnet-lite0", device="cpu")
    command = [sys.executable, "-m", "relax", "run", str(source), "--out", str(out), "--masks", str(asked.masks)]
    command += ["--threads", str(asked.threads), "--device", "cpu", "--json", "--quiet"]
    relax.keep_memory()
    rng, lives, bare = np.random.default_rng(0), [], []
    bare.append(_bare(encoder, source))
    while not lives or lives[-1]["exit"] < 0:
        seconds = asked.life * float(rng.uniform(0.5, 1.5)) if len(lives) < asked.kills else None
        lives.append(_life(command, seconds))
        bare.append(_bare(encoder, source))
        print(json.dumps({**lives[-1], "bare": bare[-1]}), file=sys.stderr, flush=True)
    return {**_rates(lives, bare), "lives": lives, "bare": bare, **_state(out, asked.masks), "threads": asked.threads}


def _life(command: list[str], seconds: float | None) -> dict[str, Any]:
    """Start the run, kill it after some seconds, and note when each input was done and the most memory that it took."""
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    began, times, peak, half = time.perf_counter(), [], 0.0, 0.0
    for line in process.stdout or ():
        times.append(time.perf_counter() - began)
        peak = max(peak, _resident(process.pid))
        half = peak if len(times) <= 50 else half
        if seconds is not None and times[-1] > seconds and line:
            os.kill(process.pid, signal.SIGKILL)
            break
    process.communicate()
    span = times[-1] - times[0] if len(times) > 1 else 0.0
    return {
        "inputs": len(times),
        "to_first": round(times[0], 1) if times else None,
        "seconds": round(span, 1),
        "inputs_a_second": round((len(times) - 1) / span, 4) if span else None,
        "peak_mib_50": round(half),
        "peak_mib": round(peak),
        "exit": process.returncode,
    }


def _resident(pid: int) -> float:
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0.0
    return int(status.split("VmRSS:")[1].split()[0]) / 1024 if "VmRSS:" in status else 0.0


def _bare(encoder: relax.Encoder, source: Path) -> float:
    """Forwards a second of the bare encoder, at the best of several batch sizes."""
    x = encoder.prepare(next(iter(sorted(source.iterdir())))).tensor
    if not encoder.batch_sizes:
        relax.explain(encoder, x, n_masks=512)  # finds the best batch size and precision
    size = next(iter(encoder.batch_sizes.values()), 8)
    precision = next(iter(encoder.precisions.values()), "float32")
    return round(rate(encoder.model, repeated(x, size), BARE, precision), 2)


def _rates(lives: list[dict[str, Any]], bare: list[float]) -> dict[str, Any]:
    """Rate of each life over the mean of the bare rates before and after it; mean and 95 % interval over lives."""
    long = [number for number, life in enumerate(lives) if life["inputs"] >= 20]
    forwards = 65
    ratios = np.array([lives[k]["inputs_a_second"] * forwards / np.mean(bare[k : k + 2]) for k in long])
    half = 1.96 * ratios.std(ddof=1) / np.sqrt(len(ratios)) if len(ratios) > 1 else float("nan")
    inputs = sum(lives[k]["inputs"] - 1 for k in long)
    return {
        "ratio": round(float(ratios.mean()), 4),
        "interval": round(float(half), 4),
        "inputs_a_second": round(inputs / sum(lives[k]["seconds"] for k in long), 4),
        "bare_forwards_a_second": round(float(np.mean(bare)), 2),
    }


def _state(out: Path, masks: int) -> dict[str, Any]:
    """What is in the store at the end: rows, keys, size, and whether rows equal single calls."""
    store = Store(out)
    table = store.table(["key", "path", "seed", "reason", "n_masks", "importance", "shape", "precision"])
    explained = [row for row in table.to_pylist() if row["reason"] is None]
    encoder, worst = relax.load_encoder("efficientnet-lite0", device="cpu"), 0.0
    for row in explained[:: max(len(explained) // 10, 1)]:
        single = relax.explain(encoder, row["path"], n_masks=masks, seed=row["seed"], precision=row["precision"])
        side = single.importance.shape[0] // row["shape"][0]
        pooled = single.importance.reshape(row["shape"][0], side, row["shape"][1], side).mean((1, 3))
        worst = max(worst, float(np.abs(pooled.ravel() - row["importance"]).max() / single.importance.std()))
    return {
        "rows": table.num_rows,
        "keys": len(set(table.column("key").to_pylist())),
        "failed": table.num_rows - len(explained),
        "shards": len(store.shards()),
        "bytes_an_input": round(sum(path.stat().st_size for path in store.shards()) / table.num_rows),
        "largest_difference_to_a_single_call": worst,
    }
