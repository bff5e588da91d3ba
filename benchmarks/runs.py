"""``relax run`` over 2,000 real pictures, killed again and again, beside the bare encoder: the figures of docs/run.md.

    python -m benchmarks.runs                    # 2,000 pictures, 64 masks, EfficientNet-Lite0: about an hour on a core
    python -m benchmarks.runs --n 100 --kills 2  # a small one
    python -m benchmarks.runs --only kills       # 50 kills of a small encoder, and the rows of one run without

The pictures are the stamps of Tux Paint (`relax data stamps`, GPL-2; photographs and drawings) and clip art of Debian's
openclipart-png (131 MB, public domain). Lives of the run and the bare encoder take turns, on the same threads.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

import relax
from benchmarks.timing import rate, repeated
from relax.datasets.cache import STAMPS, Package, fetch
from relax.runs import Store

CLIPART = Package(
    "clipart",
    "openclipart-png",
    "usr/share/openclipart/png",
    "**/*.png",
    8000,
    "131 MB, public domain",
    "openclipart.org",
)

PARTS = ("kills", "processor", "scaling", "measured")

BLOCKS, A_BLOCK = 12, 6
"""Turns of the run and of the bare encoder whose processor time is compared, and inputs of a turn."""

BARE = 8.0
"""Seconds of the bare encoder between two lives."""

SMALL = 120
"""Pictures of the run with a small encoder."""


def main() -> None:
    """Run the parts that were asked for; one JSON object a part on stdout."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=PARTS, nargs="+", default=PARTS)
    parser.add_argument("--n", type=int, default=2000, help="pictures of the measured run")
    parser.add_argument("--masks", type=int, default=64)
    parser.add_argument("--kills", type=int, default=10, help="kills of the measured run")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--life", type=float, default=200.0, help="seconds of a life, about")
    parser.add_argument("--out", type=Path, default=Path("relax-out/runs"))
    asked = parser.parse_args()
    torch.set_num_threads(asked.threads)
    if "kills" in asked.only:
        print(json.dumps({"kills": kills()}), flush=True)
    if "processor" in asked.only:
        print(json.dumps({"processor": processor(asked)}), flush=True)
    if "scaling" in asked.only:
        print(json.dumps({"scaling": scaling(asked)}), flush=True)
    if "measured" in asked.only:
        print(json.dumps({"measured": measured(asked)}), flush=True)


def pictures(n: int, folder: Path) -> Path:
    """A folder of links to ``n`` pictures: all stamps, then clip art at even steps."""
    stamps, clipart = (
        sorted(
            path
            for path in fetch(package, lambda line: print(line, file=sys.stderr)).rglob("*.png")
            if not path.is_symlink()
        )
        for package in (STAMPS, CLIPART)
    )
    wanted = max(n - len(stamps), 0)
    chosen = stamps[:n] + clipart[:: max(len(clipart) // max(wanted, 1), 1)][:wanted]
    folder.mkdir(parents=True, exist_ok=True)
    for number, path in enumerate(chosen):
        link = folder / f"{number:05d}-{path.name}"
        if not link.exists():
            os.link(path, link) if path.stat().st_dev == folder.stat().st_dev else link.write_bytes(path.read_bytes())
    return folder


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


def processor(asked: Any) -> dict[str, Any]:
    """Processor time of the bare encoder for as many forwards over that of a run, whatever else the machine does."""
    source = pictures(asked.n, asked.out / "pictures")
    files = sorted(source.iterdir())[:: max(asked.n // (BLOCKS * A_BLOCK + A_BLOCK), 1)]
    encoder = relax.load_encoder("efficientnet-lite0", device="cpu")
    relax.keep_memory()
    x = encoder.prepare(files[0]).tensor
    ratios, walls = [], []
    with tempfile.TemporaryDirectory() as folder:
        for block in range(BLOCKS + 1):
            before, began = time.process_time(), time.perf_counter()
            done = [str(path) for path in files[: (block + 1) * A_BLOCK]]
            ran = relax.run(done, Path(folder) / "store", encoder, n_masks=asked.masks)
            took, wall = time.process_time() - before, time.perf_counter() - began
            size = next(iter(encoder.batch_sizes.values()), 8)
            precision = next(iter(encoder.precisions.values()), "float32")
            before, began, forwards = time.process_time(), time.perf_counter(), 0
            batch, low = repeated(x, size), precision != "float32"
            with torch.no_grad(), torch.autocast("cpu", dtype=getattr(torch, precision) if low else None, enabled=low):
                while forwards < ran.done * (asked.masks + 1):
                    encoder.model(batch)
                    forwards += size
            share = ran.done * (asked.masks + 1) / forwards
            ratios.append(share * (time.process_time() - before) / took)
            walls.append(share * (time.perf_counter() - began) / wall)
    kept, apart = np.array(ratios[1:]), np.array(walls[1:])  # the first finds the batch size
    return {
        "processor_time": round(float(kept.mean()), 4),
        "interval": round(float(1.96 * kept.std(ddof=1) / np.sqrt(len(kept))), 4),
        "wall_time": round(float(apart.mean()), 4),
        "wall_interval": round(float(1.96 * apart.std(ddof=1) / np.sqrt(len(apart))), 4),
        "turns": len(kept),
        "inputs": BLOCKS * A_BLOCK,
        "load": os.getloadavg()[0],
    }


def scaling(asked: Any, n: int = 24) -> dict[str, Any]:
    """Inputs a second after the first, with one and two workers of one thread each, by both executors."""
    source = pictures(asked.n, asked.out / "pictures")
    files = [str(path) for path in sorted(source.iterdir())[:: max(asked.n // n, 1)][:n]]
    os.environ["OMP_NUM_THREADS"] = "1"
    rates: dict[str, Any] = {"inputs": n, "load": os.getloadavg()[0]}
    for executor in ("local", "ray") if find_spec("ray") else ("local",):
        for workers in (1, 2):
            seen: list[float] = []
            with tempfile.TemporaryDirectory() as folder:
                relax.run(
                    files,
                    Path(folder) / "store",
                    "efficientnet-lite0",
                    n_masks=asked.masks,
                    workers=workers,
                    executor=executor,
                    device="cpu",
                    on_input=lambda progress, seen=seen: seen.append(time.perf_counter()),
                )
            rates[f"{executor} {workers}"] = round((len(seen) - 1) / (seen[-1] - seen[0]), 3)
    return rates


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


def kills(n: int = 50) -> dict[str, Any]:
    """Kill runs of a small encoder at random, resume, and compare the rows with those of a run left alone."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        (home / "in").mkdir()
        rng = np.random.default_rng(0)
        for k in range(SMALL):
            Image.fromarray(rng.integers(0, 255, (64, 64, 3), dtype=np.uint8)).save(home / "in" / f"{k:02d}.png")
        (home / "in" / "poisoned.png").write_bytes(b"\x89PNG\r\n\x1a\n and no more")
        common = [sys.executable, "-m", "benchmarks.runs_small", str(home / "in")]
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


if __name__ == "__main__":
    main()
